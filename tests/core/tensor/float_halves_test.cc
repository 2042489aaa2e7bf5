#include "core/tensor/float_halves.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace frond {
namespace {

float FromBits(uint32_t bits) { return std::bit_cast<float>(bits); }

// Every high half with every kind of low half. Beyond NaN the two give the very bits back, and the
// high half is the nearest bf16.
TEST(FloatHalvesTest, GiveEveryBitBack) {
  std::mt19937 random(std::random_device{}());
  std::vector<uint32_t> lows = {0, 1, 2, 0x7FFE, 0x7FFF, 0x8000, 0x8001, 0xFFFE, 0xFFFF};
  for (int i = 0; i < 100; ++i) lows.push_back(random() & 0xFFFFu);
  for (uint32_t high = 0; high < 0x10000; ++high) {
    for (const uint32_t low : lows) {
      const uint32_t bits = high << 16 | low;
      const uint32_t joined = JoinHalves(HighHalf(bits), LowHalf(bits));
      if (IsNanBits(bits)) {
        ASSERT_EQ(joined, bits | 0x400000u) << std::hex << bits;
        ASSERT_TRUE(std::isnan(FromBits(uint32_t{HighHalf(bits)} << 16))) << std::hex << bits;
        continue;
      }
      ASSERT_EQ(joined, bits) << std::hex << bits;
      // Nearest, halves away from zero: only those differ from rounding halves to even.
      const uint16_t even = BFloat16(FromBits(bits)).bits;
      const bool is_half_down = low == 0x8000 && (high & 1) == 0;
      ASSERT_EQ(HighHalf(bits), even + (is_half_down ? 1 : 0)) << std::hex << bits;
    }
  }
}

TEST(FloatHalvesTest, HoldSpecialValues) {
  const struct {
    uint32_t bits;
    uint16_t high;
  } kCases[] = {
      {0x00000000, 0x0000},  // 0
      {0x80000000, 0x8000},  // -0
      {0x00000001, 0x0000},  // the least denormal number
      {0x80008000, 0x8001},  // a negative one, half-way
      {0x007FFFFF, 0x0080},  // the largest denormal number rounds to a normal one
      {0x7F7FFFFF, 0x7F80},  // the largest finite number rounds to infinity
      {0xFF7FFFFF, 0xFF80}, {0x7F800000, 0x7F80},  // infinity
      {0xFF800000, 0xFF80}, {0x7F800001, 0x7FC0},  // NaN whose upper half alone would be infinity
      {0x7FFFFFFF, 0x7FFF},                        // NaN that would round to -0
      {0xFFFFFFFF, 0xFFFF},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(HighHalf(c.bits), c.high) << std::hex << c.bits;
    const uint32_t quiet = IsNanBits(c.bits) ? 0x400000u : 0u;
    EXPECT_EQ(JoinHalves(c.high, LowHalf(c.bits)), c.bits | quiet) << std::hex << c.bits;
  }
}

// Of the 65,536 random halves as many round up as the part cut off says.
TEST(FloatHalvesTest, StochasticRoundingIsExactOnAverage) {
  for (const uint32_t bits : {0x3F800000u, 0x3F800001u, 0xBF804000u, 0x00007FFFu, 0x3F80FFFFu}) {
    uint32_t ups = 0;
    for (uint32_t random = 0; random < 0x10000; ++random) {
      const uint16_t y = StochasticHalf(bits, random);
      ASSERT_TRUE(y == bits >> 16 || y == (bits >> 16) + 1);
      ups += y - (bits >> 16);
    }
    EXPECT_EQ(ups, bits & 0xFFFFu) << std::hex << bits;
  }
  for (const uint32_t random : {0u, 0xFFFFu}) {
    EXPECT_EQ(StochasticHalf(0x7F800000u, random), 0x7F80);
    EXPECT_EQ(StochasticHalf(0xFF800000u, random), 0xFF80);
    EXPECT_EQ(StochasticHalf(0x7F800001u, random), 0x7FC0);
    EXPECT_EQ(StochasticHalf(0x80000000u, random), 0x8000);
  }
}

}  // namespace
}  // namespace frond
