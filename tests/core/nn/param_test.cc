#include "core/nn/param.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <iostream>

#include "core/tensor/transfer.h"
#include "tests/core/tensor/far_memory.h"

namespace frond {
namespace {

ParamSpec NormalSpec(Shape shape, double stddev) {
  return {.shape = shape, .partition = {}, .init = Initializer::Normal(stddev)};
}

TEST(ScopeTest, JoinsNamesWithDots) {
  EXPECT_EQ((Scope("encoder") / "block" / 0 / "layer").name(), "encoder.block.0.layer");
  EXPECT_EQ((Scope() / "shared").name(), "shared");
}

class ParamStoreTest : public testing::Test {
 protected:
  CpuAllocator memory_;
  Context ctx_{memory_};
};

TEST_F(ParamStoreTest, DeclarationTakesNoMemory) {
  ParamStore store(DType::kBF16);
  Param& a = store.Add(Scope("a"), NormalSpec({3, 4}, 1));
  Param& b = store.Add(Scope("b"), {.shape = {5}, .partition = {}, .init = {}});
  EXPECT_EQ(store.master_dtype(), DType::kF32);
  EXPECT_EQ(store.num_elements(), 17);
  EXPECT_EQ(a.index, 0);
  EXPECT_EQ(b.index, 1);
  EXPECT_EQ(store.Find("b"), &b);
  EXPECT_EQ(store.Find("c"), nullptr);
  EXPECT_EQ(memory_.Report().total.live_bytes, 0);
  store.Allocate(ctx_);
  EXPECT_EQ(a.value.shape(), (Shape{3, 4}));
  EXPECT_GE(memory_.Report().by_kind[static_cast<int>(MemoryKind::kParams)].live_bytes, 17 * 4);
}

TEST_F(ParamStoreTest, RefusesANameTwice) {
  ParamStore store(DType::kF32);
  store.Add(Scope("twice"), NormalSpec({2}, 1));
  EXPECT_DEATH(store.Add(Scope("twice"), NormalSpec({2}, 1)), "parameter twice is declared twice");
}

// A device's parameters are filled in pieces, with the same bits.
TEST_F(ParamStoreTest, InitialisesADevice) {
  FarMemory far;
  Context far_ctx(far);
  ParamStore host(DType::kF32), device(DType::kF32);
  for (ParamStore* store : {&host, &device}) {
    store->Add(Scope("normal"), NormalSpec({3, kPieceElements / 2 + 77}, 0.5));
    store->Add(Scope("ones"), {.shape = {70}, .partition = {}, .init = Initializer::Constant(1)});
  }
  host.Initialize(ctx_, 7);
  device.Initialize(far_ctx, 7);
  for (const auto& param : device.params()) {
    EXPECT_EQ(ToDoubles(far_ctx, param->value), ToDoubles(ctx_, host.Find(param->name)->value));
  }
}

TEST_F(ParamStoreTest, InitialisesByKind) {
  ParamStore store(DType::kF32);
  Param& ones =
      store.Add(Scope("ones"), {.shape = {70}, .partition = {}, .init = Initializer::Constant(1)});
  Param& normal = store.Add(Scope("normal"), NormalSpec({1000, 1001}, 0.5));
  store.Initialize(ctx_, 7);
  for (int i = 0; i < 70; ++i) EXPECT_EQ(ones.value.As<float>()[i], 1.0f);
  // Moments of a million draws: standard errors are 1e-3 for the mean, 1.4e-3 for the variance,
  // 5e-3 for the kurtosis (all of the unit normal); the bounds are five of them.
  const int64_t n = normal.spec.shape.num_elements();
  double moments[5] = {};
  int64_t tail = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double z = normal.value.As<float>()[i] / 0.5;
    double power = 1;
    for (double& moment : moments) {
      moment += power / static_cast<double>(n);
      power *= z;
    }
    tail += std::abs(z) > 3 ? 1 : 0;
  }
  EXPECT_NEAR(moments[1], 0, 5e-3);
  EXPECT_NEAR(moments[2], 1, 7e-3);
  EXPECT_NEAR(moments[3], 0, 2e-2);
  EXPECT_NEAR(moments[4], 3, 5e-2);
  EXPECT_NEAR(static_cast<double>(tail) / static_cast<double>(n), 0.0027, 3e-4);
}

TEST_F(ParamStoreTest, NeighboursAreUncorrelated) {
  ParamStore store(DType::kF32);
  Param& p = store.Add(Scope("p"), NormalSpec({1 << 18}, 1));
  store.Initialize(ctx_, 3);
  const float* x = p.value.As<float>();
  for (const int64_t lag : {1, 4, 256, 512, 1024}) {
    double sum = 0;
    const int64_t n = (1 << 18) - lag;
    for (int64_t i = 0; i < n; ++i) sum += double{x[i]} * x[i + lag];
    EXPECT_NEAR(sum / static_cast<double>(n), 0, 0.01) << "lag " << lag;  // five standard errors
  }
}

TEST_F(ParamStoreTest, ElementsDependOnSeedNameAndIndexAlone) {
  const auto fill = [&](absl::string_view name, Shape shape, uint64_t seed, int threads) {
    omp_set_num_threads(threads);
    ParamStore store(DType::kF32);
    Param& p = store.Add(Scope(name), NormalSpec(shape, 1));
    store.Initialize(ctx_, seed);
    const float* x = p.value.As<float>();
    return std::vector<float>(x, x + shape.num_elements());
  };
  const std::vector<float> base = fill("a", {100, 50}, 1, 1);
  EXPECT_EQ(base, fill("a", {100, 50}, 1, 3));
  EXPECT_NE(base, fill("b", {100, 50}, 1, 2));
  EXPECT_NE(base, fill("a", {100, 50}, 2, 2));
  std::vector<float> longer = fill("a", {101, 50}, 1, 2);
  longer.resize(base.size());
  EXPECT_EQ(base, longer);
}

TEST_F(ParamStoreTest, PartsOfATensorAxisHoldTheWholesDraws) {
  // Rows and columns that are no multiple of the normal stream's blocks.
  const Shape shape = {3 * 41, 6 * 19};
  for (const int split_dim : {-1, 0, 1}) {
    const ParamSpec spec = {.shape = shape,
                            .partition = {split_dim},
                            .init = Initializer::Normal(0.5),
                            .use = ParamUse::kMatrix};
    ParamStore whole_store(DType::kF32);
    Param& whole = whole_store.Add(Scope("p"), spec);
    whole_store.Initialize(ctx_, 11);
    for (int rank = 0; rank < 3; ++rank) {
      ParamStore store(DType::kF32, MasterFormat::kWhole, {.rank = rank, .size = 3});
      Param& part = store.Add(Scope("p"), spec);
      store.Initialize(ctx_, 11);
      EXPECT_EQ(part.shape, (Shape{shape.dim(0) / (split_dim == 0 ? 3 : 1),
                                   shape.dim(1) / (split_dim == 1 ? 3 : 1)}));
      for (int64_t i = 0; i < part.shape.num_elements(); ++i) {
        ASSERT_EQ(part.value.As<float>()[i], whole.value.As<float>()[part.slice.WholeIndex(i)])
            << "rank " << rank << ", split " << split_dim << ", element " << i;
      }
    }
  }
}

TEST_F(ParamStoreTest, F64MastersHoldTheSameDraws) {
  ParamStore single(DType::kF32), twice(DType::kF64);
  Param& a = single.Add(Scope("a"), NormalSpec({3000}, 0.05));
  Param& b = twice.Add(Scope("a"), NormalSpec({3000}, 0.05));
  single.Initialize(ctx_, 5);
  twice.Initialize(ctx_, 5);
  for (int i = 0; i < 3000; ++i) {
    EXPECT_NEAR(a.value.As<float>()[i], b.value.As<double>()[i], 2e-8);
  }
}

}  // namespace
}  // namespace frond
