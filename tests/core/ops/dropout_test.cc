// What dropout's mask depends on, and how much it drops.
#include "core/ops/dropout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/core/ops/reference/dropout.h"

namespace frond {
namespace {

// The kept elements of rows named `token_keys`, of columns [first_column, first_column + dim).
std::vector<float> Mask(float rate, const std::vector<uint64_t>& token_keys, int64_t dim,
                        int64_t first_column = 0) {
  CpuAllocator memory;
  Context ctx(memory);
  const auto tokens = static_cast<int64_t>(token_keys.size());
  std::vector<float> values(tokens * dim, 1.f);
  const View view = {values.data(), {tokens, dim}, DType::kF32};
  const DropoutSpec spec = {
      .rate = rate, .key = 11, .token_keys = token_keys, .first_column = first_column};
  Dropout(ctx, view, spec, view);  // in place
  return values;
}

std::vector<uint64_t> Names(uint64_t begin, uint64_t end) {
  std::vector<uint64_t> names(end - begin);
  std::iota(names.begin(), names.end(), begin);
  return names;
}

TEST(DropoutTest, DropsTheRateAndKeepsTheMean) {
  constexpr int64_t kTokens = 1000, kDim = 700;
  for (const float rate : {0.01f, 0.1f, 0.5f, 0.9f}) {
    const std::vector<float> mask = Mask(rate, Names(0, kTokens), kDim);
    double dropped = 0, sum = 0;
    for (const float m : mask) {
      dropped += m == 0;
      sum += m;
    }
    const double count = kTokens * kDim;
    // Five standard deviations of a binomial share, and the rate's own rounding to 16 bits.
    const double tolerance = 5 * std::sqrt(rate * (1 - rate) / count) + 0x1p-17;
    EXPECT_NEAR(dropped / count, rate, tolerance);
    EXPECT_NEAR(sum / count, 1, tolerance / (1 - rate));
  }
}

TEST(DropoutTest, NeighboursAreIndependent) {
  constexpr int64_t kTokens = 1000, kDim = 512;
  constexpr double kCount = kTokens * kDim;
  const std::vector<float> mask = Mask(0.5f, Names(0, kTokens), kDim);
  for (const int64_t distance : {int64_t{1}, int64_t{16}, int64_t{128}, kDim}) {
    double both = 0;
    for (int64_t i = 0; i + distance < kTokens * kDim; ++i) {
      both += mask[i] == 0 && mask[i + distance] == 0;
    }
    EXPECT_NEAR(both / kCount, 0.25, 0.005) << distance;
  }
}

TEST(DropoutTest, AMaskBelongsToItsTokenNotToItsPlace) {
  constexpr int64_t kDim = 200;
  const std::vector<float> whole = Mask(0.3f, Names(100, 140), kDim);
  std::vector<uint64_t> reversed = Names(100, 140);
  std::reverse(reversed.begin(), reversed.end());
  const std::vector<float> permuted = Mask(0.3f, reversed, kDim);
  const std::vector<float> later = Mask(0.3f, Names(125, 140), kDim);  // a second micro-batch
  for (int64_t t = 0; t < 40; ++t) {
    for (int64_t i = 0; i < kDim; ++i) {
      const float m = whole[t * kDim + i];
      EXPECT_EQ(m, permuted[(39 - t) * kDim + i]);
      if (t >= 25) {
        EXPECT_EQ(m, later[(t - 25) * kDim + i]);
      }
      EXPECT_EQ(m != 0, DropoutKeeps(11, 100 + t, i, 0.3f));
      EXPECT_EQ(m != 0, testing::reference::DropoutKeeps(11, 100 + t, i, 0.3f));
    }
  }
}

TEST(DropoutTest, AMaskOfSomeColumnsIsThatPartOfTheWholeMask) {
  constexpr int64_t kDim = 700, kTokens = 20;
  const std::vector<float> whole = Mask(0.4f, Names(0, kTokens), kDim);
  for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{0, 350},
                                   {350, 700},
                                   {128, 384},
                                   {127, 300},
                                   {16, 17},
                                   {640, 700},
                                   {513, 641}}) {
    const int64_t dim = end - begin;
    const std::vector<float> part = Mask(0.4f, Names(0, kTokens), dim, begin);
    for (int64_t t = 0; t < kTokens; ++t) {
      for (int64_t i = 0; i < dim; ++i) {
        ASSERT_EQ(part[t * dim + i], whole[t * kDim + begin + i])
            << "column " << i << " of " << begin << " to " << end;
      }
    }
  }
}

}  // namespace
}  // namespace frond
