#include "core/tensor/dtype.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace frond {
namespace {

float Rounded(float value) { return static_cast<float>(BFloat16(value)); }

TEST(BFloat16Test, RoundsToNearestEven) {
  EXPECT_EQ(Rounded(1.0f), 1.0f);
  // Between 1 and 1 + 2^-7 the midpoint goes to the even neighbour.
  EXPECT_EQ(Rounded(1.0f + 0x1p-8f), 1.0f);
  EXPECT_EQ(Rounded(1.0f + 3 * 0x1p-8f), 1.0f + 0x1p-6f);
  EXPECT_EQ(Rounded(1.0f + 0x1p-8f + 0x1p-20f), 1.0f + 0x1p-7f);
  EXPECT_EQ(Rounded(-2.5f), -2.5f);
}

TEST(BFloat16Test, KeepsSpecialValues) {
  EXPECT_TRUE(std::isnan(Rounded(std::numeric_limits<float>::quiet_NaN())));
  EXPECT_EQ(Rounded(std::numeric_limits<float>::infinity()), INFINITY);
  EXPECT_EQ(Rounded(std::numeric_limits<float>::max()), INFINITY);
  EXPECT_TRUE(std::signbit(Rounded(-0.0f)));
}

TEST(DTypeTest, VisitsTheRightType) {
  size_t size = 0;
  VisitFloatType(DType::kBF16, [&](auto element) { size = sizeof(element); });
  EXPECT_EQ(size, DTypeSize(DType::kBF16));
  EXPECT_DEATH(VisitFloatType(DType::kI32, [](auto) {}), "not a floating dtype");
}

}  // namespace
}  // namespace frond
