#include <gtest/gtest.h>

#include <cmath>

#include "core/nn/param.h"

namespace frond {
namespace {

ParamSpec Spec(Shape shape, ParamUse use) {
  return {.shape = shape, .partition = {}, .init = Initializer::Normal(1), .use = use};
}

class PrepareComputeTest : public testing::Test {
 protected:
  Param& Declare(ParamStore& store, absl::string_view name, ParamUse use) {
    return store.Add(Scope(name), Spec({48, 32}, use));
  }

  // The largest difference of a W (trans kNo) or a W^T (kYes) through the pack from a slow product.
  double ProductError(const Param& param, const PackedWeight& pack, DType compute) {
    const bool forward = pack.trans_ == Trans::kYes;
    const int64_t m = 3, k = forward ? 32 : 48, n = forward ? 48 : 32;
    Tensor a(ctx_, {m, k}, compute), c(ctx_, {m, n}, DType::kF32);
    for (int64_t i = 0; i < m * k; ++i) Set(a, i, static_cast<float>(i % 7 - 3));
    MatMulPacked(ctx_, a, pack, pack.trans_, Write::kAssign, c);
    double worst = 0;
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        double want = 0;
        for (int64_t l = 0; l < k; ++l) {
          const int64_t at = forward ? j * 32 + l : l * 32 + j;
          want += static_cast<double>((i * k + l) % 7 - 3) * param.value.As<float>()[at];
        }
        worst = std::max(worst, std::abs(want - double{c.As<float>()[i * n + j]}));
      }
    }
    return worst;
  }

  static void Set(Tensor& x, int64_t i, float value) {
    if (x.dtype() == DType::kBF16) {
      x.As<BFloat16>()[i] = BFloat16(value);
    } else {
      x.As<float>()[i] = value;
    }
  }

  CpuAllocator memory_;
  Context ctx_{memory_};
};

TEST_F(PrepareComputeTest, PacksMatricesForBothDirections) {
  for (const DType compute : {DType::kF32, DType::kBF16}) {
    // Sums of 48 products of values up to 3 and 4: a rounding is 2^-24 of 30, or 2^-9 of a weight.
    const double tolerance = compute == DType::kF32 ? 1e-4 : 0.3;
    ParamStore store(compute);
    Param& matrix = Declare(store, "matrix", ParamUse::kMatrix);
    Param& tied = Declare(store, "tied", ParamUse::kEmbeddingAndMatrix);
    Param& embedding = Declare(store, "embedding", ParamUse::kEmbedding);
    Param& vector = store.Add(Scope("vector"), Spec({48}, ParamUse::kVector));
    store.Initialize(ctx_, 1);
    store.PrepareCompute(ctx_, /*for_training=*/true);
    for (const Param* param : {&matrix, &tied}) {
      EXPECT_LE(ProductError(*param, param->forms.forward, compute), tolerance) << param->name;
      EXPECT_LE(ProductError(*param, param->forms.backward, compute), tolerance) << param->name;
    }
    for (const Param* param : {&embedding, &vector}) {
      EXPECT_TRUE(param->forms.forward.empty() && param->forms.backward.empty()) << param->name;
    }
    // The masters change: the packs follow.
    for (int64_t i = 0; i < 48 * 32; ++i) matrix.value.As<float>()[i] += 1;
    EXPECT_GT(ProductError(matrix, matrix.forms.forward, compute), tolerance);
    store.PrepareCompute(ctx_, /*for_training=*/false);
    EXPECT_LE(ProductError(matrix, matrix.forms.forward, compute), tolerance);
    EXPECT_TRUE(matrix.forms.backward.empty());
  }
}

TEST_F(PrepareComputeTest, F64ReadsTheMasters) {
  ParamStore store(DType::kF64);
  Param& matrix = Declare(store, "matrix", ParamUse::kMatrix);
  store.Initialize(ctx_, 1);
  store.PrepareCompute(ctx_, /*for_training=*/true);
  EXPECT_TRUE(matrix.forms.forward.empty() && matrix.forms.backward.empty());
}

}  // namespace
}  // namespace frond
