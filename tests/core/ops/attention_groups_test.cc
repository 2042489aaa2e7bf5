#include "core/ops/attention_groups.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "core/ops/rounded_size.h"

namespace frond {
namespace {

// Segments end to end, and rows behind them that are in none.
struct Segments {
  explicit Segments(const std::vector<std::pair<int, int>>& sizes, int num_heads = 1) {
    for (const auto& [queries, keys] : sizes) {
      query_begin.push_back(query_rows);
      query_end.push_back(query_rows += queries);
      key_begin.push_back(key_rows);
      key_end.push_back(key_rows += keys);
    }
    spec.num_heads = num_heads;
    spec.query_begin = query_begin;
    spec.query_end = query_end;
    spec.key_begin = key_begin;
    spec.key_end = key_end;
  }
  std::vector<int32_t> query_begin, query_end, key_begin, key_end;
  int32_t query_rows = 0, key_rows = 0;
  AttentionSpec spec;
};

// How many of `ranges` and of the groups' segments hold each row.
std::vector<int> Covers(const AttentionGroups& groups, const std::vector<RowRange>& ranges,
                        std::span<const int32_t> begin, std::span<const int32_t> end,
                        int64_t rows) {
  std::vector<int> covers(static_cast<size_t>(rows));
  const auto add = [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) ++covers[static_cast<size_t>(row)];
  };
  for (const RowRange& range : ranges) add(range.begin, range.end);
  for (const SegmentGroup& group : groups.groups) {
    for (const int32_t s : group.segments) add(begin[s], end[s]);
  }
  return covers;
}

TEST(AttentionGroupsTest, WhatHasNoQueriesOrNoKeysIsIdle) {
  const Segments s({{3, 5}, {0, 7}, {2, 0}, {0, 0}, {4, 1}, {6, 0}});
  const AttentionGroups groups = ForwardGroups(s.spec, s.query_rows + 2, s.key_rows + 3);
  ASSERT_EQ(groups.groups.size(), 1u);
  EXPECT_EQ(groups.groups[0].segments, (std::vector<int32_t>{0, 4}));
  EXPECT_EQ(groups.idle_queries, (std::vector<RowRange>{{3, 5}, {9, 17}}));
  EXPECT_EQ(groups.idle_keys, (std::vector<RowRange>{{5, 12}, {13, 16}}));
  EXPECT_EQ(groups.groups[0].sizes.batch, 2);
  EXPECT_EQ(groups.groups[0].sizes.longest_query, 128);
}

TEST(AttentionGroupsTest, NothingToAttendTo) {
  const Segments s({{0, 7}, {2, 0}});
  const AttentionGroups groups = GradientGroups(s.spec, s.query_rows, s.key_rows);
  EXPECT_TRUE(groups.groups.empty());
  EXPECT_EQ(groups.most_scores_per_head(), 0);
  EXPECT_EQ(groups.idle_queries, (std::vector<RowRange>{{0, 2}}));
  EXPECT_EQ(groups.idle_keys, (std::vector<RowRange>{{0, 7}}));
}

TEST(AttentionGroupsTest, EveryRowIsInOneGroupOrIdle) {
  std::mt19937 random(std::random_device{}());
  for (int trial = 0; trial < 100; ++trial) {
    const uint32_t count = 1 + random() % 40, longest = 1 + random() % 3000;
    std::vector<std::pair<int, int>> sizes;
    for (uint32_t i = 0; i < count; ++i) sizes.emplace_back(random() % longest, random() % longest);
    const Segments s(sizes, /*num_heads=*/64);
    const int64_t queries = s.query_rows + random() % 3, keys = s.key_rows + random() % 3;
    for (const bool gradient : {false, true}) {
      const AttentionGroups groups =
          gradient ? GradientGroups(s.spec, queries, keys) : ForwardGroups(s.spec, queries, keys);
      const auto query_covers =
          Covers(groups, groups.idle_queries, s.query_begin, s.query_end, queries);
      const auto key_covers = Covers(groups, groups.idle_keys, s.key_begin, s.key_end, keys);
      EXPECT_EQ(query_covers, std::vector<int>(query_covers.size(), 1));
      EXPECT_EQ(key_covers, std::vector<int>(key_covers.size(), 1));
      for (const SegmentGroup& group : groups.groups) {
        EXPECT_TRUE(std::is_sorted(group.segments.begin(), group.segments.end()));
        EXPECT_GE(group.sizes.batch, static_cast<int64_t>(group.segments.size()));
        for (const int32_t i : group.segments) {
          EXPECT_GE(group.sizes.longest_query, sizes[i].first);
          EXPECT_GE(group.sizes.longest_key, sizes[i].second);
        }
        const int64_t bytes = 64 * kBytesPerScore * group.sizes.scores_per_head();
        EXPECT_TRUE(!gradient || bytes <= kMostScoreBytes || group.segments.size() == 1) << bytes;
      }
      EXPECT_TRUE(gradient || groups.groups.size() <= 1);
    }
  }
}

// One long example among many short ones: a single batch would be as large as if all were long.
TEST(AttentionGroupsTest, ALongSegmentStandsApartWhereMemoryAsksForIt) {
  std::vector<std::pair<int, int>> sizes(100, {60, 120});
  sizes[50] = {1024, 1024};
  const Segments s(sizes, 64);
  const AttentionGroups groups = GradientGroups(s.spec, s.query_rows, s.key_rows);
  ASSERT_EQ(groups.groups.size(), 2u);
  // The first group takes short ones as long as there is room: 1 GiB are 8 times 1024 x 1024.
  EXPECT_EQ(groups.groups[0].sizes.batch, 8);
  EXPECT_EQ(groups.groups[0].sizes.longest_key, 1024);
  EXPECT_EQ(std::count(groups.groups[0].segments.begin(), groups.groups[0].segments.end(), 50), 1);
  EXPECT_EQ(groups.groups[1].sizes.batch, RoundedSize(93));
  EXPECT_EQ(groups.groups[1].sizes.longest_query, 128);
  EXPECT_EQ(groups.groups[1].sizes.longest_key, 128);
  EXPECT_EQ(ForwardGroups(s.spec, s.query_rows, s.key_rows).groups.size(), 1u);
}

TEST(AttentionGroupsTest, FewSizesAreLeft) {
  int64_t last = 0;
  int count = 0;
  for (int length = 1; length <= 2048; ++length) {
    const Segments s({{length, length}});
    const BatchSizes sizes = ForwardGroups(s.spec, length, length).groups[0].sizes;
    EXPECT_GE(sizes.longest_query, length);
    EXPECT_LT(sizes.longest_query, length * 5 / 4 + 128);
    EXPECT_EQ(sizes.longest_query % 128, 0);
    if (sizes.longest_query != last) ++count;
    last = sizes.longest_query;
  }
  EXPECT_EQ(count, 12);  // 128 to 1024, 1280, 1536, 1792, 2048
}

TEST(AttentionGroupsDeathTest, SegmentsRise) {
  Segments s({{3, 5}, {4, 1}});
  s.key_begin[1] = 4;
  EXPECT_DEATH(ForwardGroups(s.spec, s.query_rows, s.key_rows), "segment 1 lies over");
}

}  // namespace
}  // namespace frond
