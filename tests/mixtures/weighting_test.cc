#include "mixtures/weighting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

namespace frond {
namespace {

constexpr double kTolerance = 1e-12;
constexpr int kTrials = 300;

class Weighting : public testing::Test {
 protected:
  Weighting() { RecordProperty("seed", static_cast<int>(seed_)); }

  double Uniform(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random_);
  }

  // Sizes over nine orders of magnitude, now and then zero or twice the same.
  std::vector<double> Sizes() {
    std::vector<double> sizes(1 + random_() % 60);
    for (double& size : sizes) {
      size = random_() % 10 == 0 ? 0 : std::floor(std::pow(10, Uniform(0, 9)));
      if (random_() % 8 == 0) size = sizes[0];
    }
    sizes[0] = std::max(sizes[0], 1.0);
    return sizes;
  }

  const unsigned seed_ = std::random_device{}();
  std::mt19937_64 random_{seed_};
};

void ExpectNear(const std::vector<double>& got, const std::vector<long double>& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i], static_cast<double>(wanted[i]), kTolerance) << "item " << i;
  }
}

std::vector<long double> Scaled(std::vector<long double> rates) {
  const long double total = std::accumulate(rates.begin(), rates.end(), 0.0L);
  for (long double& rate : rates) rate /= total;
  return rates;
}

TEST_F(Weighting, PowerIsThatOfTheLibrary) {
  for (int trial = 0; trial < 20'000; ++trial) {
    const double x = std::pow(10, Uniform(-12, 12)), y = Uniform(0, 4);
    const double wanted =
        static_cast<double>(std::pow(static_cast<long double>(x), static_cast<long double>(y)));
    EXPECT_NEAR(Power(x, y) / wanted, 1, 2e-14) << x << "^" << y << " seed " << seed_;
  }
  EXPECT_EQ(Power(0, 0), 1);
  EXPECT_EQ(Power(0, 0.5), 0);
  EXPECT_EQ(Power(7.3, 1), 7.3);
  EXPECT_EQ(Power(1, 0.3), 1);
  EXPECT_NEAR(Power(2, 0.5), std::sqrt(2.0), 1e-15);
  EXPECT_NEAR(Power(1e-300, 0.5), 1e-150, 1e-164);
}

TEST_F(Weighting, TemperatureIsItsFormula) {
  for (int trial = 0; trial < kTrials; ++trial) {
    const std::vector<double> sizes = Sizes();
    const double temperature = Uniform(0.2, 8);
    std::vector<long double> rates;
    for (const double size : sizes) {
      rates.push_back(size > 0 ? std::pow(static_cast<long double>(size), 1.0L / temperature) : 0);
    }
    ExpectNear(TemperatureShares(sizes, temperature), Scaled(rates));
  }
}

// Xue et al. (2021): p(L) ~ |L|^0.3.
TEST_F(Weighting, Mt5) {
  const std::vector<double> sizes = {3'067e6, 713e6, 20e6, 1e6};
  std::vector<long double> rates;
  for (const double size : sizes) rates.push_back(std::exp(0.3L * std::log((long double)size)));
  const std::vector<double> shares = TemperatureShares(sizes, 1 / 0.3);
  ExpectNear(shares, Scaled(rates));
  // A language with a thousandth of the text has an eighth of the share: 1000^0.3 = 7.94.
  EXPECT_NEAR(TemperatureShares(std::vector<double>{1000, 1}, 1 / 0.3)[0] /
                  TemperatureShares(std::vector<double>{1000, 1}, 1 / 0.3)[1],
              7.943282347242816, 1e-11);
}

TEST_F(Weighting, LowTemperaturesDoNotOverflow) {
  const std::vector<double> shares = TemperatureShares(std::vector<double>{1e9, 1e8}, 0.01);
  EXPECT_EQ(shares[0], 1);
}

TEST_F(Weighting, ExamplesProportionalIsItsFormula) {
  for (int trial = 0; trial < kTrials; ++trial) {
    const ExamplesProportionalRule rule = {.scale = Uniform(0.1, 3),
                                           .maximum = trial % 4 == 0 ? 0 : Uniform(10, 1e6),
                                           .temperature = Uniform(0.5, 5)};
    for (const double size : Sizes()) {
      long double rate = static_cast<long double>(size) * rule.scale;
      if (rule.maximum > 0 && rate > rule.maximum) rate = rule.maximum;
      rate = size > 0 ? std::pow(rate, 1.0L / rule.temperature) : 0;
      const double got = ExamplesProportionalRate(size, rule);
      EXPECT_NEAR(got, static_cast<double>(rate), kTolerance * std::max(1.0, got));
    }
  }
}

// What SeqIO documents for its rate by number of examples: scale, then maximum, then temperature.
TEST_F(Weighting, SeqIoOrder) {
  EXPECT_EQ(ExamplesProportionalRate(30, {}), 30);
  EXPECT_EQ(ExamplesProportionalRate(30, {.scale = 2}), 60);
  EXPECT_EQ(ExamplesProportionalRate(30, {.scale = 2, .maximum = 50}), 50);
  // The other order, maximum before scale, would give 60.
  EXPECT_EQ(ExamplesProportionalRate(30, {.scale = 2, .maximum = 30}), 30);
  EXPECT_NEAR(ExamplesProportionalRate(30, {.maximum = 16, .temperature = 2}), 4, 1e-14);
  EXPECT_NEAR(ExamplesProportionalRate(8, {.scale = 2, .maximum = 100, .temperature = 4}), 2,
              1e-14);
  // T5: K = 2^19.
  EXPECT_EQ(ExamplesProportionalRate(1e7, {.maximum = 524288}), 524288);
}

// Independent of the order of visits: an item that is full gets N times its size; all others the
// same; together the budget. Finds the number of full ones by trying all.
std::vector<double> UniMaxByTrial(const std::vector<double>& sizes, double budget, double epochs) {
  std::vector<double> sorted;
  for (const double size : sizes) {
    if (size > 0) sorted.push_back(size);
  }
  std::sort(sorted.begin(), sorted.end());
  double level = 0;
  for (size_t full = 0; full <= sorted.size(); ++full) {
    const long double taken = std::accumulate(sorted.begin(), sorted.begin() + full, 0.0L) * epochs;
    if (full == sorted.size()) {
      level = std::numeric_limits<double>::infinity();  // the budget is too large for all
      break;
    }
    level = static_cast<double>((budget - taken) / static_cast<long double>(sorted.size() - full));
    if (level <= epochs * sorted[full]) break;
  }
  std::vector<double> given;
  for (const double size : sizes) given.push_back(size > 0 ? std::min(level, epochs * size) : 0);
  return given;
}

TEST_F(Weighting, UniMaxIsWaterFilling) {
  for (int trial = 0; trial < kTrials; ++trial) {
    const std::vector<double> sizes = Sizes();
    const double budget = std::pow(10, Uniform(1, 11)), epochs = Uniform(0.5, 10);
    const std::vector<double> got = UniMaxAllocation(sizes, budget, epochs);
    const std::vector<double> wanted = UniMaxByTrial(sizes, budget, epochs);
    double total = 0;
    for (size_t i = 0; i < sizes.size(); ++i) {
      EXPECT_NEAR(got[i], wanted[i], kTolerance * budget) << "seed " << seed_;
      EXPECT_LE(got[i], epochs * sizes[i]);
      total += got[i];
    }
    EXPECT_LE(total, budget * (1 + kTolerance));
  }
}

// Algorithm 1 of Chung et al. (2023) by hand: budget 100, two epochs, sizes 5, 100, 20. The
// smallest takes 10 (100 / 3 would be more than its two epochs), the next 40 (of 90 / 2 = 45), the
// last 50.
TEST_F(Weighting, UniMaxByHand) {
  EXPECT_THAT(UniMaxAllocation(std::vector<double>{5, 100, 20}, 100, 2),
              testing::ElementsAre(10, 50, 40));
  EXPECT_THAT(UniMaxAllocation(std::vector<double>{5, 0, 5}, 100, 1),
              testing::ElementsAre(5, 0, 5));
}

TEST_F(Weighting, NothingGivesNothing) {
  EXPECT_THAT(Normalized(std::vector<double>{0, 0}), testing::ElementsAre(0, 0));
  EXPECT_TRUE(TemperatureShares({}, 2).empty());
  EXPECT_THAT(TemperatureShares(std::vector<double>{0, 0}, 2), testing::ElementsAre(0, 0));
}

}  // namespace
}  // namespace frond
