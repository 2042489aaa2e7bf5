#include "data/packing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace frond {
namespace {

class PackingTest : public testing::Test {
 protected:
  PackingTest() : seed_(std::random_device()()), random_(seed_) {
    RecordProperty("seed", static_cast<int>(seed_));
  }

  // Lengths with a long tail, cut to the limits; the sides are correlated by `together` in 0..1.
  std::vector<SideLengths> LogNormal(int count, double source_median, double target_median,
                                     double together, const SideLengths& limits) {
    std::normal_distribution<double> normal;
    std::vector<SideLengths> lengths;
    for (int i = 0; i < count; ++i) {
      const double shared = normal(random_);
      const auto draw = [&](double median, int32_t limit) {
        const double z = together * shared + std::sqrt(1 - together * together) * normal(random_);
        return std::clamp(static_cast<int32_t>(median * std::exp(0.9 * z)), 1, limit);
      };
      const int32_t source = draw(source_median, limits.source);
      lengths.push_back({source, draw(target_median, limits.target)});
    }
    return lengths;
  }

  // Every example is in exactly one row and no row overflows.
  void ExpectValid(const PackedWindow& window, const std::vector<SideLengths>& lengths,
                   const SideLengths& limits) {
    std::vector<int> seen(lengths.size());
    int64_t source_tokens = 0;
    for (int32_t r = 0; r < window.num_rows(); ++r) {
      int64_t source = 0, target = 0;
      EXPECT_FALSE(window.row(r).empty());
      EXPECT_TRUE(std::is_sorted(window.row(r).begin(), window.row(r).end()));
      for (const int32_t i : window.row(r)) {
        ++seen.at(i);
        source += lengths[i].source;
        target += lengths[i].target;
      }
      EXPECT_LE(source, limits.source);
      EXPECT_LE(target, limits.target);
      source_tokens += source;
    }
    EXPECT_THAT(seen, testing::Each(1)) << "seed " << seed_;
    EXPECT_EQ(window.report.rows, window.num_rows());
    EXPECT_EQ(window.report.source_tokens, source_tokens);
    EXPECT_EQ(window.report.examples, static_cast<int64_t>(lengths.size()));
  }

  uint64_t seed_;
  std::mt19937_64 random_;
};

TEST_F(PackingTest, FillsTheBindingSide) {
  for (const SideLengths limits : {SideLengths{512, 128}, SideLengths{1024, 1024}}) {
    for (const double target_share : {0.1, 0.7, 1.0, 1.4, 4.0}) {
      for (const double together : {0.0, 0.6}) {
        const double median = limits.source * 0.05;
        const auto lengths = LogNormal(
            8192, median, median * limits.target / limits.source * target_share, together, limits);
        const PackedWindow window = PackWindow(lengths, limits, 1);
        ExpectValid(window, lengths, limits);
        EXPECT_GE(window.report.binding_fill(), 0.97)
            << limits.source << "/" << limits.target << " share " << target_share << " correlation "
            << together << " seed " << seed_;
      }
    }
  }
}

TEST_F(PackingTest, FitsExactlyWhereThatIsPossible) {
  // Source-heavy and target-heavy examples that only fill rows in pairs.
  const SideLengths limits = {100, 100};
  std::vector<SideLengths> lengths;
  for (int i = 0; i < 500; ++i) {
    lengths.push_back({70, 30});
    lengths.push_back({30, 70});
  }
  std::shuffle(lengths.begin(), lengths.end(), random_);
  const PackedWindow window = PackWindow(lengths, limits, 3);
  ExpectValid(window, lengths, limits);
  EXPECT_EQ(window.num_rows(), 500);
  EXPECT_EQ(window.report.binding_fill(), 1.0);
}

TEST_F(PackingTest, EdgeSizes) {
  const SideLengths limits = {8, 4};
  EXPECT_EQ(PackWindow({}, limits, 0).num_rows(), 0);
  EXPECT_EQ(PackWindow({}, limits, 0).report.binding_fill(), 0);
  for (const SideLengths only : {SideLengths{8, 4}, SideLengths{1, 1}, SideLengths{8, 1}}) {
    ExpectValid(PackWindow(std::vector<SideLengths>{only}, limits, 0), {only}, limits);
  }
  const std::vector<SideLengths> full(5, limits);
  EXPECT_EQ(PackWindow(full, limits, 0).num_rows(), 5);
}

TEST_F(PackingTest, RepeatableAndShuffledBySeed) {
  const SideLengths limits = {256, 256};
  const auto lengths = LogNormal(2000, 20, 20, 0.5, limits);
  const PackedWindow a = PackWindow(lengths, limits, 11);
  const PackedWindow b = PackWindow(lengths, limits, 11);
  const PackedWindow c = PackWindow(lengths, limits, 12);
  EXPECT_EQ(a.examples, b.examples);
  EXPECT_EQ(a.row_offsets, b.row_offsets);
  EXPECT_NE(a.examples, c.examples);
  EXPECT_EQ(a.num_rows(), c.num_rows());
}

// Rows are filled from the largest example down; their order must not show it.
TEST_F(PackingTest, RowOrderDoesNotFollowLength) {
  const SideLengths limits = {512, 512};
  const auto lengths = LogNormal(8192, 40, 40, 0.5, limits);
  const PackedWindow window = PackWindow(lengths, limits, seed_);
  const int32_t rows = window.num_rows();
  double sum_xy = 0, sum_yy = 0, mean = static_cast<double>(lengths.size()) / rows;
  for (int32_t r = 0; r < rows; ++r) {
    const double y = static_cast<double>(window.row(r).size()) - mean;
    const double x = r - (rows - 1) / 2.0;
    sum_xy += x * y;
    sum_yy += y * y;
  }
  const double sum_xx = rows * (static_cast<double>(rows) * rows - 1) / 12;
  const double correlation = sum_xy / std::sqrt(sum_xx * sum_yy);
  EXPECT_LT(std::abs(correlation), 5 / std::sqrt(rows)) << "seed " << seed_;  // 5 sigma
}

TEST_F(PackingTest, OneExamplePerRow) {
  const SideLengths limits = {16, 16};
  const auto lengths = LogNormal(100, 5, 5, 0.5, limits);
  const PackedWindow window = OneExamplePerRow(lengths, limits);
  ExpectValid(window, lengths, limits);
  EXPECT_EQ(window.num_rows(), 100);
  EXPECT_EQ(window.row(42).front(), 42);
}

}  // namespace
}  // namespace frond
