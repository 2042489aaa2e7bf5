#include "core/ops/elementwise.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

namespace frond {
namespace {

class ElementwiseTest : public ::testing::Test {
 protected:
  ElementwiseTest() : ctx_(memory_) {}
  CpuAllocator memory_;
  Context ctx_;
};

TEST_F(ElementwiseTest, AllFiniteFindsOneBadElementAnywhere) {
  constexpr int64_t kSize = 9001;
  const double bad[] = {std::numeric_limits<double>::infinity(),
                        -std::numeric_limits<double>::infinity(),
                        std::numeric_limits<double>::quiet_NaN()};
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF64}) {
    Tensor x(ctx_, {kSize}, dtype);
    Fill(ctx_, -1e30, x);
    EXPECT_TRUE(AllFinite(ctx_, x)) << DTypeName(dtype);
    for (const double value : bad) {
      for (const int64_t at : {int64_t{0}, int64_t{4095}, int64_t{4096}, kSize - 1}) {
        Fill(ctx_, 3.0, x);
        Fill(ctx_, value, Rows(x.view(), at, at + 1));
        EXPECT_FALSE(AllFinite(ctx_, x)) << DTypeName(dtype) << " " << value << " at " << at;
      }
    }
  }
}

TEST_F(ElementwiseTest, EmptyTensors) {
  Tensor x(ctx_, {0}, DType::kF32);
  Fill(ctx_, 1.0, x);
  EXPECT_TRUE(AllFinite(ctx_, x));
  EXPECT_EQ(SumOfSquares(ctx_, x), 0.0);
}

TEST_F(ElementwiseTest, SumsOfSquaresAreThoseOfEachTensor) {
  Tensor a(ctx_, {9001}, DType::kF32), none(ctx_, {0}, DType::kF32), b(ctx_, {13}, DType::kBF16);
  Fill(ctx_, 0.3, a);
  Fill(ctx_, std::numeric_limits<double>::infinity(), b);
  const std::vector<ConstView> tensors = {a, none, b, a};
  const std::vector<double> expected = {
      SumOfSquares(ctx_, a), 0.0, std::numeric_limits<double>::infinity(), SumOfSquares(ctx_, a)};
  EXPECT_EQ(SumsOfSquares(ctx_, tensors), expected);
  EXPECT_TRUE(SumsOfSquares(ctx_, {}).empty());
}

// The vectorised conversion and BFloat16's own agree on every kind of value.
TEST_F(ElementwiseTest, CastRoundsLikeBFloat16) {
  std::vector<float> values;
  for (uint32_t high = 0; high < 0x10000; ++high) {
    for (const uint32_t low : {0u, 1u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu}) {
      values.push_back(std::bit_cast<float>((high << 16) | low));
    }
  }
  const auto n = static_cast<int64_t>(values.size());
  Tensor y(ctx_, {n}, DType::kBF16);
  Cast(ctx_, {values.data(), {n}, DType::kF32}, y);
  for (size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(y.As<BFloat16>()[i].bits, BFloat16(values[i]).bits)
        << std::hex << std::bit_cast<uint32_t>(values[i]);
  }
}

TEST_F(ElementwiseTest, ScalesInPlace) {
  Tensor x(ctx_, {10007}, DType::kF32);
  Fill(ctx_, 3.0, x);
  AddScaled(ctx_, 0.5, x, Write::kAssign, x);
  EXPECT_EQ(SumOfSquares(ctx_, x), 1.5 * 1.5 * 10007);
}

}  // namespace
}  // namespace frond
