// Reductions on a GPU: one wait for the device, the bits of each tensor alone, close to f64.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "core/base/philox.h"
#include "core/ops/elementwise.h"
#include "core/ops/product_operand.h"
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

// The CPU's bits, also of the last few elements and from addresses that take no four at a time.
TEST(ElementwiseGpuTest, TermsOfBf16ProductsAreTheCpus) {
  FROND_GPU_OR_SKIP(gpu);
  Context& ctx = *gpu.ctx;
  CpuAllocator memory;
  Context cpu(memory);
  const uint64_t seed = std::random_device{}();
  for (const int64_t n : {1, 3, 4, 1026, 4099}) {
    Tensor values(cpu, {n + 1, 1}, DType::kF32);
    for (int64_t i = 0; i <= n; ++i) {
      values.As<float>()[i] = static_cast<float>(std::ldexp(NormalAt(seed, i), i % 40 - 20));
    }
    Tensor sent(ctx, values.shape(), DType::kF32);
    CopyFromHost(ctx, values.As<float>(), sent);
    for (const int64_t first : {0, 1}) {
      const auto terms = [&](Context& on, const Tensor& x, bool two) {
        Tensor high(on, {n, 1}, DType::kBF16), low(on, {n, 1}, DType::kBF16);
        Fill(on, 0, low);
        SplitToBf16(on, Rows(x.view(), first, first + n), high, two ? low.view() : View{});
        return std::pair(ToDoubles(on, high), ToDoubles(on, low));
      };
      for (const bool two : {false, true}) {
        EXPECT_EQ(terms(ctx, sent, two), terms(cpu, values, two))
            << n << " from " << first << ", seed " << seed;
      }
    }
  }
}

}  // namespace
}  // namespace frond::testing
