#include "data/batch_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace frond {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(BatchBuilder, LaysExamplesEndToEnd) {
  BatchBuilder builder({.source = 10, .target = 10});
  builder.Append(std::vector<int32_t>{5, 6, 1}, std::vector<int32_t>{7, 1}, 100, 3);
  builder.Append(std::vector<int32_t>{1}, std::vector<int32_t>{8, 9, 10, 1}, 200, 4);
  const Batch batch = builder.Take();
  EXPECT_EQ(batch.num_examples(), 2);
  EXPECT_THAT(batch.source_ids, ElementsAre(5, 6, 1, 1));
  EXPECT_THAT(batch.source_offsets, ElementsAre(0, 3, 4));
  EXPECT_THAT(batch.target_ids, ElementsAre(7, 1, 8, 9, 10, 1));
  EXPECT_THAT(batch.target_offsets, ElementsAre(0, 2, 6));
  EXPECT_THAT(batch.example_keys, ElementsAre(100, 200));
  EXPECT_THAT(batch.leaf, ElementsAre(3, 4));
  EXPECT_EQ(builder.truncation().examples, 0);
  EXPECT_EQ(builder.batch().num_examples(), 0);
  EXPECT_THAT(builder.batch().source_offsets, ElementsAre(0));
  EXPECT_THAT(builder.batch().leaf, IsEmpty());
}

TEST(BatchBuilder, TruncationKeepsTheEndAndIsCounted) {
  BatchBuilder builder({.source = 3, .target = 2});
  builder.Append(std::vector<int32_t>{5, 6, 7, 8, 1}, std::vector<int32_t>{9, 1}, 0, 0);
  builder.Append(std::vector<int32_t>{5, 6, 1}, std::vector<int32_t>{9, 10, 11, 1}, 1, 0);
  builder.Append(std::vector<int32_t>{5, 6, 7, 1}, std::vector<int32_t>{9, 10, 1}, 2, 0);
  builder.Append(std::vector<int32_t>{5, 6, 1}, std::vector<int32_t>{9, 1}, 3, 0);
  EXPECT_THAT(builder.batch().source_ids, ElementsAre(5, 6, 1, 5, 6, 1, 5, 6, 1, 5, 6, 1));
  EXPECT_THAT(builder.batch().target_ids, ElementsAre(9, 1, 9, 1, 9, 1, 9, 1));
  EXPECT_EQ(builder.truncation().examples, 3);
  EXPECT_EQ(builder.truncation().source_tokens, 3);
  EXPECT_EQ(builder.truncation().target_tokens, 3);
}

TEST(BatchBuilder, TruncatedLengthsAgree) {
  const SideLengths kept = TruncatedLengths({.source = 5, .target = 2}, {.source = 3, .target = 4});
  EXPECT_EQ(kept.source, 3);
  EXPECT_EQ(kept.target, 2);
}

}  // namespace
}  // namespace frond
