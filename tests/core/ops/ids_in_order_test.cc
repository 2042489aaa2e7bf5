#include "core/ops/ids_in_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace frond {
namespace {

TEST(IdsInOrderTest, OrdersTokensByIdThenPosition) {
  const uint64_t seed = std::random_device{}();
  std::mt19937_64 random(seed);
  // One, two and three digits of the radix sort.
  for (const int32_t vocabulary : {1, 2000, 250112, 1 << 30}) {
    std::vector<int32_t> ids(3000);
    for (int32_t& id : ids) {
      id = static_cast<int32_t>(random() % static_cast<uint64_t>(vocabulary));
      if (random() % 4 == 0) id = vocabulary - 1;
    }
    std::vector<int32_t> expected(ids.size());
    for (size_t t = 0; t < ids.size(); ++t) expected[t] = static_cast<int32_t>(t);
    std::stable_sort(expected.begin(), expected.end(), [&](int32_t a, int32_t b) {
      return ids[static_cast<size_t>(a)] < ids[static_cast<size_t>(b)];
    });
    const IdsInOrder order = PutIdsInOrder(ids);
    ASSERT_EQ(order.tokens, expected) << "vocabulary " << vocabulary << ", seed " << seed;
    int32_t begin = 0, last_id = -1;
    for (const IdRun& run : order.runs) {
      ASSERT_EQ(run.begin, begin);
      ASSERT_LT(run.begin, run.end);
      ASSERT_LT(last_id, run.id);
      for (int32_t i = run.begin; i < run.end; ++i) {
        ASSERT_EQ(ids[static_cast<size_t>(order.tokens[static_cast<size_t>(i)])], run.id);
      }
      begin = run.end;
      last_id = run.id;
    }
    EXPECT_EQ(begin, std::ssize(ids));
  }
  EXPECT_TRUE(PutIdsInOrder({}).runs.empty());
}

TEST(IdsInOrderTest, KeepsTheIdsOfAPart) {
  std::vector<IdRun> runs = {{2, 0, 4}, {3, 4, 5}, {7, 5, 6}, {8, 6, 9}};
  KeepIds(3, 5, runs);
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].id, 0);
  EXPECT_EQ(runs[0].begin, 4);
  EXPECT_EQ(runs[0].end, 5);
  EXPECT_EQ(runs[1].id, 4);
  EXPECT_EQ(runs[1].begin, 5);
  EXPECT_EQ(runs[1].end, 6);
}

TEST(IdsInOrderTest, CutsLongRunsIntoPiecesWithSlots) {
  const IdPieces cut = CutIntoPieces({{3, 0, 4}, {5, 4, 13}, {9, 13, 14}, {12, 14, 22}}, 4);
  const std::vector<std::vector<int32_t>> expected = {
      {3, 0, 4, -1},   {5, 4, 8, 0},    {5, 8, 12, 1},  {5, 12, 13, 2},
      {9, 13, 14, -1}, {12, 14, 18, 3}, {12, 18, 22, 4}};
  std::vector<std::vector<int32_t>> pieces;
  for (const IdPiece& p : cut.pieces) pieces.push_back({p.id, p.begin, p.end, p.slot});
  EXPECT_EQ(pieces, expected);
  EXPECT_EQ(cut.num_slots, 5);
  ASSERT_EQ(cut.joins.size(), 2u);
  EXPECT_EQ(cut.joins[0].id, 5);
  EXPECT_EQ(cut.joins[0].begin, 0);
  EXPECT_EQ(cut.joins[0].end, 3);
  EXPECT_EQ(cut.joins[1].id, 12);
  EXPECT_EQ(cut.joins[1].begin, 3);
  EXPECT_EQ(cut.joins[1].end, 5);
}

}  // namespace
}  // namespace frond
