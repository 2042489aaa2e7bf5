#include "core/ops/attention_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace frond {
namespace {

struct Segments {
  std::vector<int32_t> query_begin, query_end, key_begin, key_end;
  AttentionSpec spec;

  Segments(const std::vector<std::pair<int, int>>& sizes, bool causal) {
    int32_t query = 0, key = 0;
    for (const auto& [queries, keys] : sizes) {
      query_begin.push_back(query);
      query_end.push_back(query += queries);
      key_begin.push_back(key);
      key_end.push_back(key += keys);
    }
    spec.causal = causal;
    spec.bidirectional = !causal;
    spec.query_begin = query_begin;
    spec.query_end = query_end;
    spec.key_begin = key_begin;
    spec.key_end = key_end;
  }
};

// The (query, key) pairs of a tile of at most `rows` queries or keys.
int64_t PairsOf(const AttentionItem& item, int rows, bool of_keys, bool causal) {
  const int total = of_keys ? item.num_keys : item.num_queries;
  int64_t pairs = 0;
  for (int i = item.first; i < std::min(total, item.first + rows); ++i) {
    for (int j = 0; j < (of_keys ? item.num_queries : item.num_keys); ++j) {
      const int query = of_keys ? j : i, key = of_keys ? i : j;
      if (!causal || key <= query + item.offset) ++pairs;
    }
  }
  return pairs;
}

TEST(AttentionPlanTest, TilesCoverEveryPairOnceLongestFirst) {
  std::mt19937 random(std::random_device{}());
  for (const bool causal : {false, true}) {
    std::vector<std::pair<int, int>> sizes = {{0, 5}, {3, 0}, {1, 200}, {64, 64}, {65, 65}};
    for (int i = 0; i < 10; ++i) {
      const int keys = static_cast<int>(random() % 300);
      sizes.emplace_back(causal ? static_cast<int>(random() % (keys + 1)) : random() % 300, keys);
    }
    const Segments segments(sizes, causal);
    for (const bool of_keys : {false, true}) {
      const std::vector<AttentionItem> items =
          of_keys ? KeyTiles(segments.spec, 64) : QueryTiles(segments.spec, 64);
      int64_t total = 0, previous = int64_t{1} << 40;
      for (const AttentionItem& item : items) {
        const int64_t pairs = PairsOf(item, 64, of_keys, causal);
        EXPECT_LE(pairs, previous + 64 * 64);  // a diagonal tile counts as a whole one
        previous = pairs;
        total += pairs;
      }
      EXPECT_EQ(static_cast<double>(total), AttentionPairs(segments.spec));
    }
  }
}

TEST(AttentionPlanTest, EveryRowHasATileEvenWithNothingToAttendTo) {
  const Segments segments({{130, 0}, {0, 65}}, false);
  EXPECT_EQ(QueryTiles(segments.spec, 64).size(), 3u);
  EXPECT_EQ(KeyTiles(segments.spec, 64).size(), 2u);
  EXPECT_TRUE(QueryTiles(Segments({}, true).spec, 64).empty());
}

TEST(AttentionPlanTest, BiasDistancesEndWhereTheBucketsDo) {
  AttentionSpec encoder;
  const BiasDistances both = MakeBiasDistances(encoder);
  EXPECT_EQ(both.before, 91);
  EXPECT_EQ(both.after, 91);
  AttentionSpec decoder = encoder;
  decoder.causal = true;
  decoder.bidirectional = false;
  const BiasDistances causal = MakeBiasDistances(decoder);
  EXPECT_EQ(causal.before, 113);
  EXPECT_EQ(causal.after, 0);
  for (const auto& [spec, distances] : {std::pair{encoder, both}, std::pair{decoder, causal}}) {
    for (int64_t d = -1000; d <= (spec.causal ? 0 : 1000); ++d) {
      const int64_t at = std::clamp<int64_t>(d, -distances.before, distances.after);
      const int32_t bucket = distances.bucket[at + distances.before];
      EXPECT_EQ(bucket, RelativePositionBucket(d, spec.bidirectional, 32, 128)) << d;
      EXPECT_LE(distances.bucket_begin[bucket], at + distances.before);
      EXPECT_GT(distances.bucket_end[bucket], at + distances.before);
    }
  }
}

TEST(AttentionPlanTest, FindsRowsInNoSegment) {
  const std::vector<int32_t> begin = {5, 0}, end = {9, 5};
  EXPECT_FALSE(HasRowsInNoSegment(begin, end, 9));
  EXPECT_TRUE(HasRowsInNoSegment(begin, end, 10));
  EXPECT_TRUE(HasRowsInNoSegment(std::vector<int32_t>{1}, std::vector<int32_t>{3}, 3));
  EXPECT_FALSE(HasRowsInNoSegment({}, {}, 0));
}

}  // namespace
}  // namespace frond
