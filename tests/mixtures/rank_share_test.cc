#include "mixtures/rank_share.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "gtest/gtest.h"

namespace frond {
namespace {

int64_t Cost(const std::vector<std::vector<int32_t>>& rank, const std::vector<int64_t>& costs) {
  int64_t sum = 0;
  for (const auto& micro_batch : rank) {
    for (const int32_t row : micro_batch) sum += costs[row];
  }
  return sum;
}

TEST(ShareRows, EveryRowGoesToOnePlaceAndLoadsAreEven) {
  const uint64_t seed = std::random_device{}();
  std::mt19937_64 random(seed);
  for (int trial = 0; trial < 100; ++trial) {
    std::vector<int64_t> costs(1 + random() % 300);
    for (int64_t& cost : costs) cost = 1 + random() % 2000;
    const int ranks = 1 + random() % 8, micro_batches = 1 + random() % 4;
    const RankShares shares = ShareRows(costs, ranks, micro_batches);
    ASSERT_EQ(shares.size(), static_cast<size_t>(ranks));
    std::vector<int> seen(costs.size(), 0);
    int64_t largest = 0;
    for (const auto& rank : shares) {
      ASSERT_EQ(rank.size(), static_cast<size_t>(micro_batches));
      for (const auto& micro_batch : rank) {
        EXPECT_TRUE(std::is_sorted(micro_batch.begin(), micro_batch.end()));
        for (const int32_t row : micro_batch) ++seen[row];
      }
      largest = std::max(largest, Cost(rank, costs));
    }
    EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), static_cast<int64_t>(costs.size()));
    // No split can be better than the mean or the costliest row; LPT is within 4/3 of the best.
    const int64_t total = std::accumulate(costs.begin(), costs.end(), int64_t{0});
    const int64_t costliest = *std::max_element(costs.begin(), costs.end());
    EXPECT_LE(largest, total / ranks + costliest) << "seed " << seed;
    EXPECT_EQ(ShareRows(costs, ranks, micro_batches), shares);
  }
}

TEST(ShareRows, EqualRowsAreDealtEvenly) {
  const std::vector<int64_t> costs(16, 100);
  for (const auto& rank : ShareRows(costs, 4, 2)) {
    for (const auto& micro_batch : rank) EXPECT_EQ(micro_batch.size(), 2u);
  }
  const std::vector<int64_t> free(8, 0);
  for (const auto& rank : ShareRows(free, 4, 2)) {
    for (const auto& micro_batch : rank) EXPECT_EQ(micro_batch.size(), 1u);
  }
}

TEST(ShareRows, FewerRowsThanRanksLeaveSomeEmpty) {
  const std::vector<int64_t> costs = {5};
  const RankShares shares = ShareRows(costs, 3, 2);
  EXPECT_EQ(shares[0][0], std::vector<int32_t>{0});
  EXPECT_TRUE(shares[0][1].empty() && shares[1][0].empty() && shares[2][1].empty());
}

}  // namespace
}  // namespace frond
