#include "eval/bootstrap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace frond {
namespace {

using testing::DoubleNear;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// numpy.quantile([3, 1, 4, 1, 5, 9, 2, 6], q)
TEST(QuantileTest, IsNumpys) {
  const std::vector<double> values = {3, 1, 4, 1, 5, 9, 2, 6};
  EXPECT_DOUBLE_EQ(Quantile(values, 0), 1);
  EXPECT_DOUBLE_EQ(Quantile(values, 0.025), 1);
  EXPECT_DOUBLE_EQ(Quantile(values, 0.3), 2.1);
  EXPECT_DOUBLE_EQ(Quantile(values, 0.5), 3.5);
  EXPECT_DOUBLE_EQ(Quantile(values, 0.975), 8.475);
  EXPECT_DOUBLE_EQ(Quantile(values, 1), 9);
  EXPECT_TRUE(std::isnan(Quantile({}, 0.5)));
}

TEST(PercentileIntervalTest, LeavesOutWhatIsNoNumber) {
  std::vector<double> draws(101);
  std::iota(draws.begin(), draws.end(), 0);
  draws.insert(draws.begin() + 7, 3, kNan);
  const Interval interval = PercentileInterval(draws, 0.9);
  EXPECT_THAT(interval.low, DoubleNear(5, 1e-9));
  EXPECT_THAT(interval.high, DoubleNear(95, 1e-9));
  EXPECT_TRUE(interval.Excludes(4.9));
  EXPECT_TRUE(interval.Excludes(95.1));
  EXPECT_FALSE(interval.Excludes(50));
}

TEST(DrawCountsTest, TakesAsManyFromEachStratumAsItHas) {
  const std::vector<int64_t> sizes = {3, 0, 1, 10};
  std::vector<int32_t> counts(14, -1);
  for (uint64_t draw = 0; draw < 50; ++draw) {
    DrawCounts(sizes, 99, draw, counts);
    EXPECT_EQ(std::accumulate(counts.begin(), counts.begin() + 3, 0), 3);
    EXPECT_EQ(counts[3], 1);
    EXPECT_EQ(std::accumulate(counts.begin() + 4, counts.end(), 0), 10);
  }
}

// The count of an item is binomial(n, 1/n): mean 1, variance 1 - 1/n, and those of two items have
// covariance -1/n.
TEST(DrawCountsTest, CountsAreMultinomial) {
  constexpr int kItems = 5, kDraws = 40'000;
  const std::vector<int64_t> sizes = {2, kItems};
  std::vector<int32_t> counts(2 + kItems);
  double sum = 0, squares = 0, products = 0, across = 0;
  for (uint64_t draw = 0; draw < kDraws; ++draw) {
    DrawCounts(sizes, 7, draw, counts);
    const double a = counts[2] - 1.0, b = counts[6] - 1.0;
    sum += a;
    squares += a * a;
    products += a * b;
    across += a * (counts[0] - 1.0);
  }
  constexpr double kTolerance = 0.03;  // some five standard deviations
  EXPECT_NEAR(sum / kDraws, 0, kTolerance);
  EXPECT_NEAR(squares / kDraws, 1 - 1.0 / kItems, kTolerance);
  EXPECT_NEAR(products / kDraws, -1.0 / kItems, kTolerance);
  EXPECT_NEAR(across / kDraws, 0, kTolerance);
}

TEST(DrawCountsTest, DependsOnKeyAndNumberAlone) {
  const std::vector<int64_t> sizes = {40};
  std::vector<int32_t> first(40), again(40), other_draw(40), other_key(40);
  DrawCounts(sizes, 1, 5, first);
  DrawCounts(sizes, 1, 6, other_draw);
  DrawCounts(sizes, 2, 5, other_key);
  DrawCounts(sizes, 1, 5, again);
  EXPECT_EQ(first, again);
  EXPECT_NE(first, other_draw);
  EXPECT_NE(first, other_key);
}

}  // namespace
}  // namespace frond
