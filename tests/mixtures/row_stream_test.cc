#include "mixtures/row_stream.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/base/philox.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace frond {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kWindow = 200;

// Lengths 1 .. 60 / 1 .. 30, some above the limits of 48 / 24.
SideLengths LengthsOf(const StreamExample& example) {
  const uint64_t bits = MixBits(example.index_in_leaf * 7 + example.leaf);
  return {static_cast<int32_t>(1 + bits % 60), static_cast<int32_t>(1 + (bits >> 32) % 30)};
}

RowStream Rows(uint64_t seed, bool packing = true) {
  const Mixture mixture =
      *Mixture::Create({{.name = "aya", .weight = 3, .languages = {{"fin", 100}, {"swh", 300}}},
                        {.name = "dolly", .weight = 1, .languages = {{"eng", 70}}}});
  return RowStream(Stream(mixture, seed, kWindow), LengthsOf,
                   {.limits = {.source = 48, .target = 24}, .packing = packing});
}

void Append(const std::vector<Row>& more, std::vector<Row>& rows) {
  rows.insert(rows.end(), more.begin(), more.end());
}

TEST(RowStream, RowsAreTheSameForAnyChunking) {
  const uint64_t seed = std::random_device{}();
  std::mt19937_64 random(seed);
  const std::vector<Row> whole = Rows(seed).NextRows(700);
  RowStream chunked = Rows(seed);
  std::vector<Row> joined;
  while (joined.size() < whole.size()) {
    const int64_t left = static_cast<int64_t>(whole.size() - joined.size());
    Append(chunked.NextRows(std::min<int64_t>(left, random() % 150)), joined);
  }
  EXPECT_EQ(joined, whole) << "seed " << seed;
}

TEST(RowStream, SeekGoesOnWithTheSameRows) {
  const uint64_t seed = std::random_device{}();
  std::mt19937_64 random(seed);
  RowStream rows = Rows(seed);
  RowStream other = Rows(seed);
  for (int i = 0; i < 30; ++i) {
    rows.NextRows(random() % 90);
    const StreamPosition position = rows.position();
    RowStream fresh = Rows(seed);
    ASSERT_TRUE(fresh.Seek(position).ok());
    ASSERT_TRUE(other.Seek(position).ok());
    const std::vector<Row> next = rows.NextRows(40);
    EXPECT_EQ(fresh.NextRows(40), next) << "seed " << seed;
    EXPECT_EQ(other.NextRows(40), next) << "seed " << seed;
    EXPECT_EQ(fresh.position(), rows.position());
  }
}

TEST(RowStream, AWindowsRowsHoldItsExamplesOnce) {
  for (const bool packing : {true, false}) {
    const RowStream rows = Rows(3, packing);
    for (const uint64_t w : {0, 5}) {
      const PlannedWindow plan = rows.Plan(w);
      std::set<uint64_t> ordinals;
      for (const Row& row : plan.rows) {
        SideLengths sum;
        int truncated = 0;
        for (const StreamExample& example : row.examples) {
          EXPECT_TRUE(ordinals.insert(example.ordinal).second);
          const SideLengths lengths = LengthsOf(example);
          sum.source += std::min(lengths.source, 48);
          sum.target += std::min(lengths.target, 24);
          truncated += lengths.source > 48 || lengths.target > 24;
        }
        EXPECT_EQ(row.tokens.source, sum.source);
        EXPECT_EQ(row.tokens.target, sum.target);
        EXPECT_EQ(row.truncated, truncated);
        EXPECT_LE(sum.source, 48);
        EXPECT_LE(sum.target, 24);
      }
      EXPECT_EQ(ordinals.size(), kWindow);
      EXPECT_EQ(*ordinals.begin(), w * kWindow);
      EXPECT_EQ(*ordinals.rbegin(), (w + 1) * kWindow - 1);
    }
  }
}

TEST(RowStream, UnpackedRowsAreTheStream) {
  RowStream rows = Rows(4, false);
  const std::vector<Row> first = rows.NextRows(kWindow);
  const std::vector<StreamExample> window = rows.stream().Window(0);
  for (size_t i = 0; i < first.size(); ++i) {
    ASSERT_EQ(first[i].examples.size(), 1u);
    EXPECT_EQ(first[i].examples[0], window[i]);
  }
  EXPECT_EQ(rows.position(), (StreamPosition{1, 0}));
}

TEST(RowStream, SeekRefusesPositionsOfOtherData) {
  RowStream rows = Rows(5);
  rows.NextRows(3);
  const StreamPosition before = rows.position();
  EXPECT_THAT(std::string(rows.Seek({2, 100000}).message()),
              HasSubstr("so there is no row 100000"));
  EXPECT_THAT(std::string(rows.Seek({~uint64_t{0}, 0}).message()), HasSubstr("is not below"));
  EXPECT_EQ(rows.position(), before);
  RowStream untouched = Rows(5);
  untouched.NextRows(3);
  EXPECT_EQ(rows.NextRows(5), untouched.NextRows(5));
}

TEST(RowStream, PlanningCost) {
  const Mixture mixture = *Mixture::Create({{.name = "aya", .languages = {{"fin", 1000000}}}});
  const RowStream rows(Stream(mixture, 1), LengthsOf, {.limits = {.source = 512, .target = 256}});
  const auto start = std::chrono::steady_clock::now();
  const PlannedWindow plan = rows.Plan(1000);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  std::cout << "a window of 8192 examples planned into " << plan.rows.size() << " rows in "
            << took.count() << " ms, binding side " << 100 * plan.packing.binding_fill()
            << " % full\n";
  EXPECT_LT(plan.rows.size(), 8192u);
}

}  // namespace
}  // namespace frond
