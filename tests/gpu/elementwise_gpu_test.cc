// Reductions on a GPU: one wait for the device, the bits of each tensor alone, close to f64.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "core/base/philox.h"
#include "core/ops/elementwise.h"
#include "core/tensor/transfer.h"
#include "tests/gpu/gpu_fixture.h"

namespace frond::testing {
namespace {

TEST(ElementwiseGpuTest, SumsOfSquaresAreThoseOfEachTensor) {
  FROND_GPU_OR_SKIP(gpu);
  Context& ctx = *gpu.ctx;
  const uint64_t seed = std::random_device{}();
  // The large one comes first and last: its partial sums must not reach the others' totals.
  std::vector<Tensor> tensors;
  std::vector<double> expected;
  for (const int64_t n : {100003, 0, 1, 4096, 100003}) {
    std::vector<float> values;
    long double sum = 0;
    for (int64_t i = 0; i < n; ++i) {
      values.push_back(static_cast<float>(NormalAt(seed + tensors.size(), i)));
      sum += static_cast<long double>(values.back()) * values.back();
    }
    tensors.emplace_back(ctx, Shape{n}, DType::kF32);
    CopyFromHost(ctx, values.data(), tensors.back());
    expected.push_back(static_cast<double>(sum));
  }
  std::vector<ConstView> views(tensors.begin(), tensors.end());
  const std::vector<double> sums = SumsOfSquares(ctx, views);
  ASSERT_EQ(sums.size(), views.size());
  for (size_t i = 0; i < sums.size(); ++i) {
    EXPECT_NEAR(sums[i], expected[i], 1e-12 * expected[i]) << i << ", seed " << seed;
    EXPECT_EQ(sums[i], SumOfSquares(ctx, views[i])) << i << ", seed " << seed;
  }
  EXPECT_TRUE(SumsOfSquares(ctx, {}).empty());
}

TEST(ElementwiseGpuTest, OneInfinityIsFound) {
  FROND_GPU_OR_SKIP(gpu);
  Context& ctx = *gpu.ctx;
  Tensor x(ctx, {5003}, DType::kBF16);
  Fill(ctx, 2.0, x);
  EXPECT_TRUE(AllFinite(ctx, x));
  Fill(ctx, -INFINITY, Rows(x.view(), 5002, 5003));
  EXPECT_FALSE(AllFinite(ctx, x));
  EXPECT_EQ(SumsOfSquares(ctx, std::vector<ConstView>{x}).front(), INFINITY);
}

}  // namespace
}  // namespace frond::testing
