#include "core/ops/product_operand.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace frond {
namespace {

// Values over many magnitudes, and some that bf16 holds.
Tensor Draw(Context& ctx, int64_t n) {
  Tensor x(ctx, {n, 1}, DType::kF32);
  std::mt19937_64 random(std::random_device{}());
  std::normal_distribution<float> normal;
  for (int64_t i = 0; i < n; ++i) {
    x.As<float>()[i] = i % 7 == 0
                           ? 0.375f * static_cast<float>(i)
                           : std::ldexp(normal(random), static_cast<int>(random() % 60) - 30);
  }
  return x;
}

TEST(SplitToBf16Test, TermsAddUpToTheValue) {
  CpuAllocator memory;
  Context ctx(memory);
  for (const int64_t n : {1, 5, 4095, 4096, 4097, 40000}) {
    const Tensor x = Draw(ctx, n);
    Tensor high(ctx, x.shape(), DType::kBF16), low(ctx, x.shape(), DType::kBF16);
    SplitToBf16(ctx, x, high, low);
    Tensor alone(ctx, x.shape(), DType::kBF16);
    SplitToBf16(ctx, x, alone, {});
    for (int64_t i = 0; i < n; ++i) {
      const float value = x.As<float>()[i];
      const BFloat16 first = high.As<BFloat16>()[i], second = low.As<BFloat16>()[i];
      ASSERT_EQ(first.bits, BFloat16(value).bits) << value;
      ASSERT_EQ(alone.As<BFloat16>()[i].bits, first.bits) << value;
      const double sum = static_cast<double>(static_cast<float>(first)) +
                         static_cast<double>(static_cast<float>(second));
      ASSERT_LE(std::abs(sum - value), std::ldexp(std::abs(static_cast<double>(value)), -17))
          << value << " at " << i << " of " << n;
    }
  }
}

TEST(ProductOperandTest, IsTheTensorItselfWhereTheDtypeFits) {
  CpuAllocator memory;
  Context ctx(memory);
  for (const DType dtype : {DType::kF64, DType::kF32, DType::kBF16}) {
    Tensor x(ctx, {3, 4}, dtype);
    const ProductOperand operand(ctx, x, dtype, OperandTerms::kTwo);
    EXPECT_EQ(operand.terms().size(), 1u);
    EXPECT_EQ(operand.only().data, x.view().data);
  }
  const Tensor wide = Draw(ctx, 6);
  EXPECT_EQ(ProductOperand(ctx, wide, DType::kBF16, OperandTerms::kTwo).terms().size(), 2u);
  const ProductOperand one(ctx, wide, DType::kBF16, OperandTerms::kOne);
  EXPECT_TRUE(one.only().dtype == DType::kBF16);
  EXPECT_DEATH(ProductOperand(ctx, wide, DType::kBF16, OperandTerms::kTwo).only(), "count_");
  Tensor narrow(ctx, {2, 2}, DType::kBF16);
  EXPECT_DEATH(ProductOperand(ctx, narrow, DType::kF32, OperandTerms::kOne), "bf16 in products");
}

}  // namespace
}  // namespace frond
