#include "core/base/philox.h"

#include <gtest/gtest.h>

#include <cmath>

namespace frond {
namespace {

// Known answers of Philox4x32-10 published with Random123.
TEST(PhiloxTest, KnownAnswers) {
  EXPECT_EQ(Philox(0, 0, 0),
            (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox(~0ull, ~0ull, ~0ull),
            (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox(0x299f31d0a4093822ull, 0x85a308d3243f6a88ull, 0x0370734413198a2eull),
            (std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(PhiloxTest, NormalsHaveUnitVariance) {
  double sum = 0, squares = 0;
  constexpr int kCount = 100000;
  for (int i = 0; i < kCount; ++i) {
    const double x = NormalAt(42, i);
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / kCount, 0, 0.02);
  EXPECT_NEAR(squares / kCount, 1, 0.03);
}

TEST(PhiloxTest, SitesAndStepsDiffer) {
  const RngKey key{.seed = 1, .step = 2};
  EXPECT_NE(key.At(0), key.At(1));
  EXPECT_NE(key.At(0), (RngKey{.seed = 1, .step = 3}.At(0)));
  EXPECT_EQ(key.At(5), (RngKey{.seed = 1, .step = 2}.At(5)));
}

}  // namespace
}  // namespace frond
