// GPU matrix products beyond the op cases: adding into another matrix, the choice of algorithms,
// and the memory of weights.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "core/nn/linear.h"
#include "core/ops/cuda/matmul.h"
#include "core/ops/matmul_peak.h"
#include "core/tensor/transfer.h"
#include "tests/core/ops/op_runner.h"
#include "tests/gpu/gpu_fixture.h"

namespace frond::testing {
namespace {

constexpr int64_t kM = 24, kN = 40, kK = 56;

class MatMulGpuTest : public ::testing::Test {
 protected:
  MatMulGpuTest() : seed_(std::random_device{}()), random_(seed_) {}

  std::vector<float> Draw(int64_t count, DType dtype) {
    std::normal_distribution<float> normal;
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) {
      value = normal(random_);
      if (dtype == DType::kBF16) value = static_cast<float>(BFloat16(value));
    }
    return values;
  }

  static Tensor Upload(Context& ctx, const std::vector<float>& values, Shape shape, DType dtype) {
    Tensor x(ctx, shape, dtype);
    if (dtype == DType::kF32) {
      CopyFromHost(ctx, values.data(), x);
      return x;
    }
    std::vector<BFloat16> narrow;
    for (const float value : values) narrow.emplace_back(value);
    CopyFromHost(ctx, narrow.data(), x);
    return x;
  }

  uint64_t seed_;
  std::mt19937_64 random_;
};

struct Transposes {
  Trans a, b;
};

std::vector<double> SlowProduct(Transposes trans, const std::vector<float>& a,
                                const std::vector<float>& b, const std::vector<float>& c) {
  std::vector<double> d(c.begin(), c.end());
  for (int64_t i = 0; i < kM; ++i) {
    for (int64_t j = 0; j < kN; ++j) {
      for (int64_t l = 0; l < kK; ++l) {
        const int64_t in_a = trans.a == Trans::kYes ? l * kM + i : i * kK + l;
        const int64_t in_b = trans.b == Trans::kYes ? j * kK + l : l * kN + j;
        d[static_cast<size_t>(i * kN + j)] +=
            double{a[static_cast<size_t>(in_a)]} * double{b[static_cast<size_t>(in_b)]};
      }
    }
  }
  return d;
}

TEST_F(MatMulGpuTest, AddsAnotherMatrixWithoutChangingIt) {
  FROND_GPU_OR_SKIP(gpu);
  Context& ctx = *gpu.ctx;
  const std::pair<DType, DType> pairings[] = {
      {DType::kF32, DType::kF32}, {DType::kBF16, DType::kBF16}, {DType::kBF16, DType::kF32}};
  for (const auto& [operand, result] : pairings) {
    // A rounding of the result; sums of 56 terms in f32.
    const double tolerance = result == DType::kBF16 ? 3e-3 : 1e-6;
    for (const Trans trans_a : {Trans::kNo, Trans::kYes}) {
      for (const Trans trans_b : {Trans::kNo, Trans::kYes}) {
        const auto a = Draw(kM * kK, operand), b = Draw(kK * kN, operand),
                   c = Draw(kM * kN, result);
        const Tensor left =
            Upload(ctx, a, trans_a == Trans::kYes ? Shape{kK, kM} : Shape{kM, kK}, operand);
        const Tensor right =
            Upload(ctx, b, trans_b == Trans::kYes ? Shape{kN, kK} : Shape{kK, kN}, operand);
        const Tensor addend = Upload(ctx, c, {kM, kN}, result);
        Tensor sum(ctx, {kM, kN}, result);
        cuda::MatMulAdd(ctx, left, trans_a, right, trans_b, addend, sum);
        const std::vector<double> want = SlowProduct({trans_a, trans_b}, a, b, c);
        EXPECT_LE(RelativeError(ToDoubles(ctx, sum), want), tolerance) << "seed " << seed_;
        EXPECT_EQ(ToDoubles(ctx, addend), std::vector<double>(c.begin(), c.end()));
      }
    }
  }
}

TEST_F(MatMulGpuTest, AlgorithmsAreChosenOnceAndRepeatTheirBits) {
  FROND_GPU_OR_SKIP(gpu);
  Context& ctx = *gpu.ctx;
  const DType dtype = DType::kBF16;
  const Tensor a = Upload(ctx, Draw(kM * kK, dtype), {kM, kK}, dtype);
  const Tensor b = Upload(ctx, Draw(kN * kK, dtype), {kN, kK}, dtype);
  const auto run = [&](ConstView left, int64_t rows) {
    Tensor c = Upload(ctx, std::vector<float>(static_cast<size_t>(rows * kN), 1.0f), {rows, kN},
                      DType::kF32);
    MatMul(ctx, left, Trans::kNo, b, Trans::kYes, Write::kAccumulate, c);
    return ToDoubles(ctx, c);
  };
  const std::vector<double> first = run(a, kM);
  EXPECT_EQ(cuda::CountMatMulPlans(ctx).plans, 1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(run(a, kM), first);
  EXPECT_EQ(cuda::CountMatMulPlans(ctx).plans, 1);
  // Another context comes to the same bits, though it measures anew.
  Context other(*gpu.memory);
  Tensor again = Upload(ctx, std::vector<float>(kM * kN, 1.0f), {kM, kN}, DType::kF32);
  MatMul(other, a, Trans::kNo, b, Trans::kYes, Write::kAccumulate, again);
  EXPECT_EQ(ToDoubles(ctx, again), first);
  // The same shape at an odd address has a plan, and a measurement, of its own; nothing is measured
  // where cuBLASLt knows a single algorithm.
  const ConstView flat = Reshape(a.view(), {kM * kK, 1});
  run(Reshape(Rows(flat, 1, 1 + (kM - 1) * kK), {kM - 1, kK}), kM - 1);
  EXPECT_EQ(cuda::CountMatMulPlans(ctx).plans, 2);
  EXPECT_LE(cuda::CountMatMulPlans(ctx).measured, 2);
}

TEST_F(MatMulGpuTest, AFewMoreTokensMeasureNothingNew) {
  FROND_GPU_OR_SKIP(gpu);
  Context& ctx = *gpu.ctx;
  constexpr int64_t kMost = 320;
  const DType dtype = DType::kBF16;
  const Tensor a = Upload(ctx, Draw(kMost * kK, dtype), {kMost, kK}, dtype);
  const Tensor b = Upload(ctx, Draw(kN * kK, dtype), {kN, kK}, dtype);
  Tensor c(ctx, {kMost, kN}, dtype);
  MatMul(ctx, a, Trans::kNo, b, Trans::kYes, Write::kAssign, c);
  const std::vector<double> all = ToDoubles(ctx, c);
  for (const int64_t rows : {319, 300, 264, 257}) {
    MatMul(ctx, Rows(a.view(), 0, rows), Trans::kNo, b, Trans::kYes, Write::kAssign,
           Rows(c.view(), 0, rows));
    EXPECT_LE(RelativeError(ToDoubles(ctx, c), all), 3e-3) << rows;
  }
  const cuda::MatMulPlanCounts counts = cuda::CountMatMulPlans(ctx);
  EXPECT_EQ(counts.plans, 5);
  // A device may propose another first algorithm once in so small a range.
  EXPECT_LE(counts.measured, 2);
}

TEST_F(MatMulGpuTest, OneCopyOfAWeightServesBothProducts) {
  FROND_GPU_OR_SKIP(gpu);
  Context& ctx = *gpu.ctx;
  for (const DType compute : {DType::kF32, DType::kBF16}) {
    ParamStore store(compute);
    const Linear linear(store, Scope("linear"), 64, 128, 0.1);
    Param& param = *store.Find("linear.weight");
    store.Initialize(ctx, 1);
    for (const bool for_training : {true, false, true}) {
      store.PrepareCompute(ctx, for_training);
      const MemoryReport report = ctx.memory().Report();
      const auto bytes =
          report.by_kind[static_cast<size_t>(MemoryKind::kComputeWeights)].live_bytes;
      // The allocator rounds a block up to its unit of 512 bytes, beyond it if it is full.
      EXPECT_EQ(bytes, compute == DType::kF32 ? 0 : 64 * 128 * 2 + 512);
      EXPECT_TRUE(param.forms.backward.empty());
      EXPECT_EQ(param.Pack(Trans::kNo), param.Pack(Trans::kYes));
    }
  }
}

TEST_F(MatMulGpuTest, PeakIsPositive) {
  FROND_GPU_OR_SKIP(gpu);
  EXPECT_GT(MeasureMatMulPeak(*gpu.ctx, DType::kBF16), 0.1);
}

}  // namespace
}  // namespace frond::testing
