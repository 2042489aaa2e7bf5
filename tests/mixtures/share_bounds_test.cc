#include "mixtures/share_bounds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace frond {
namespace {

using testing::HasSubstr;

constexpr double kTolerance = 1e-12;

class ShareBounds : public testing::Test {
 protected:
  double Uniform(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random_);
  }

  std::vector<double> Wanted(size_t n) {
    std::vector<double> wanted(n);
    for (double& p : wanted) p = std::pow(10, Uniform(-6, 0));
    const double total = std::accumulate(wanted.begin(), wanted.end(), 0.0);
    for (double& p : wanted) p /= total;
    return wanted;
  }

  const unsigned seed_ = std::random_device{}();
  std::mt19937_64 random_{seed_};
};

std::vector<ShareBound> Singles(const std::vector<double>& low, const std::vector<double>& high) {
  std::vector<ShareBound> bounds;
  for (size_t i = 0; i < low.size(); ++i) {
    bounds.push_back({"bound " + std::to_string(i), {static_cast<int>(i)}, low[i], high[i]});
  }
  return bounds;
}

// p_i = clamp(c w_i, low_i, high_i) with the c, found by halving, for which they sum to 1.
std::vector<double> ByHalving(const std::vector<double>& wanted, const std::vector<double>& low,
                              const std::vector<double>& high) {
  const auto at = [&](long double log_c) {
    std::vector<long double> p;
    for (size_t i = 0; i < wanted.size(); ++i) {
      p.push_back(std::clamp<long double>(std::exp(log_c) * wanted[i], low[i], high[i]));
    }
    return p;
  };
  long double below = -60, above = 60;
  for (int k = 0; k < 200; ++k) {
    const long double middle = (below + above) / 2;
    const auto p = at(middle);
    (std::accumulate(p.begin(), p.end(), 0.0L) < 1 ? below : above) = middle;
  }
  const auto p = at(above);
  return {p.begin(), p.end()};
}

TEST_F(ShareBounds, OneFamilyIsTheClampedMultiple) {
  for (int trial = 0; trial < 300; ++trial) {
    const size_t n = 2 + random_() % 40;
    const std::vector<double> wanted = Wanted(n);
    std::vector<double> low(n, 0), high(n, 1);
    for (size_t i = 0; i < n; ++i) {
      if (random_() % 3 == 0) high[i] = Uniform(1.2, 4) / static_cast<double>(n);
      if (random_() % 3 == 0) low[i] = std::min(high[i], Uniform(0, 0.9) / static_cast<double>(n));
    }
    high[0] = 1;
    const auto bounded = BoundShares(wanted, Singles(low, high));
    ASSERT_TRUE(bounded.ok()) << bounded.status() << " seed " << seed_;
    const std::vector<double> expected = ByHalving(wanted, low, high);
    for (size_t i = 0; i < n; ++i) {
      EXPECT_NEAR(bounded->probabilities[i], expected[i], kTolerance) << "seed " << seed_;
    }
  }
}

TEST_F(ShareBounds, WithoutBoundsNothingMoves) {
  const std::vector<double> wanted = Wanted(20);
  const auto bounded = BoundShares(wanted, {});
  ASSERT_TRUE(bounded.ok());
  for (size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_NEAR(bounded->probabilities[i], wanted[i], 1e-15);
  }
}

// Rows and columns of a table: the conditions that make a point the closest one (a factor for each
// bound, none where a bound does not bind, at most 1 at an upper and at least 1 at a lower bound).
TEST_F(ShareBounds, CrossingFamiliesMeetTheConditionsOfTheClosest) {
  int tried = 0;
  for (int trial = 0; trial < 60; ++trial) {
    constexpr size_t kRows = 4, kColumns = 5;
    const std::vector<double> wanted = Wanted(kRows * kColumns);
    std::vector<ShareBound> bounds;
    for (size_t r = 0; r < kRows; ++r) {
      ShareBound row = {"row", {}, 0, Uniform(0.3, 0.6)};
      for (size_t c = 0; c < kColumns; ++c) row.items.push_back(static_cast<int>(r * kColumns + c));
      bounds.push_back(row);
    }
    for (size_t c = 0; c < kColumns; ++c) {
      ShareBound column = {"column", {}, Uniform(0, 0.15), 1};
      for (size_t r = 0; r < kRows; ++r) column.items.push_back(static_cast<int>(r * kColumns + c));
      bounds.push_back(column);
    }
    const auto bounded = BoundShares(wanted, bounds);
    ASSERT_TRUE(bounded.ok()) << bounded.status() << " seed " << seed_;
    ++tried;
    double common = 0;  // the factor of the whole: the same for every item
    for (size_t i = 0; i < wanted.size(); ++i) {
      double factor = bounded->probabilities[i] / wanted[i];
      factor /= bounded->factors[i / kColumns] * bounded->factors[kRows + i % kColumns];
      if (i == 0) common = factor;
      EXPECT_NEAR(factor / common, 1, 1e-9) << "seed " << seed_;
    }
    for (size_t b = 0; b < bounds.size(); ++b) {
      double mass = 0;
      for (const int i : bounds[b].items) mass += bounded->probabilities[i];
      EXPECT_GE(mass, bounds[b].low - kTolerance) << "seed " << seed_;
      EXPECT_LE(mass, bounds[b].high + kTolerance) << "seed " << seed_;
      if (bounded->factors[b] < 1 - 1e-9) {
        EXPECT_NEAR(mass, bounds[b].high, 1e-10);
      } else if (bounded->factors[b] > 1 + 1e-9) {
        EXPECT_NEAR(mass, bounds[b].low, 1e-10);
      }
    }
  }
  EXPECT_EQ(tried, 60);
}

TEST_F(ShareBounds, NothingAtAllIsALimitToo) {
  const auto bounded = BoundShares(std::vector<double>{1, 2, 1}, Singles({0, 0, 0}, {0, 1, 1}));
  ASSERT_TRUE(bounded.ok()) << bounded.status();
  EXPECT_EQ(bounded->probabilities[0], 0);
  EXPECT_NEAR(bounded->probabilities[1], 2.0 / 3, kTolerance);
}

TEST_F(ShareBounds, SaysWhatCannotBeMet) {
  const auto message = [](const std::vector<double>& wanted,
                          const std::vector<ShareBound>& bounds) {
    const auto bounded = BoundShares(wanted, bounds);
    EXPECT_FALSE(bounded.ok());
    EXPECT_EQ(bounded.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(bounded.status().message().find('\n'), absl::string_view::npos);
    return std::string(bounded.status().message());
  };
  EXPECT_THAT(message({1, 1}, Singles({0, 0}, {0.3, 0.4})), HasSubstr("allow 0.7"));
  EXPECT_THAT(message({1, 1}, Singles({0.6, 0.6}, {1, 1})), HasSubstr("add up to 1.2"));
  EXPECT_THAT(message({1, 1, 1}, Singles({0.5, 0.5, 0}, {1, 1, 1})), HasSubstr("leave nothing"));
  EXPECT_THAT(message({1, 0}, Singles({0, 0.1}, {1, 1})), HasSubstr("bound 1 cannot be met"));
  EXPECT_THAT(message({1, 1}, Singles({0.5, 0}, {0.4, 1})), HasSubstr("at least 0.5"));
  EXPECT_THAT(message({1, 1}, Singles({0, 0}, {0, 0})), HasSubstr("leave nothing"));
  // Each can be met alone: items 0 and 1 hold at most 0.1, items 1 and 2 at least 0.5, item 2 at
  // most 0.2.
  EXPECT_THAT(
      message({1, 1, 1, 1},
              {{"first", {0, 1}, 0, 0.1}, {"second", {1, 2}, 0.5, 1}, {"third", {2}, 0, 0.2}}),
      HasSubstr("together with the other limits"));
}

}  // namespace
}  // namespace frond
