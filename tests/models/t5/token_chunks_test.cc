#include "models/t5/token_chunks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace frond {
namespace {

using testing::ElementsAre;

struct Side {
  explicit Side(const std::vector<int32_t>& lengths) {
    for (const int32_t length : lengths) {
      begin.push_back(end.empty() ? 0 : end.back());
      end.push_back(begin.back() + length);
    }
    for (int32_t t = 0; t < end.back(); ++t) keys.push_back(1000 + static_cast<uint64_t>(t));
    layout = {.begin = begin, .end = end, .token_keys = keys, .num_tokens = end.back()};
  }
  std::vector<int32_t> begin, end;
  std::vector<uint64_t> keys;
  TokenLayout layout;
};

std::vector<int64_t> Sizes(const std::vector<TokenChunk>& chunks) {
  std::vector<int64_t> sizes;
  for (const TokenChunk& chunk : chunks) sizes.push_back(chunk.own.layout.num_tokens);
  return sizes;
}

TEST(TokenChunksTest, WithoutALimitAllIsOneChunk) {
  const Side own({3, 4, 5});
  EXPECT_THAT(Sizes(CutIntoChunks(own.layout, nullptr, 0)), ElementsAre(12));
}

TEST(TokenChunksTest, ChunksAreEven) {
  const Side own({4, 4, 4, 4, 4, 4});
  EXPECT_THAT(Sizes(CutIntoChunks(own.layout, nullptr, 20)), ElementsAre(12, 12));
}

TEST(TokenChunksTest, ALongSegmentIsItsOwnChunk) {
  const Side own({2, 50, 3, 3});
  EXPECT_THAT(Sizes(CutIntoChunks(own.layout, nullptr, 8)), ElementsAre(2, 50, 6));
}

TEST(TokenChunksTest, BothSidesKeepTheLimit) {
  const Side own({1, 1, 1, 1}), memory({6, 6, 6, 6});
  const auto chunks = CutIntoChunks(own.layout, &memory.layout, 12);
  EXPECT_THAT(Sizes(chunks), ElementsAre(2, 2));
  EXPECT_EQ(chunks[1].memory.first, 12);
  EXPECT_EQ(chunks[1].memory.layout.num_tokens, 12);
}

// What fills up the last products may have no token on one side: it stays with the last example.
TEST(TokenChunksTest, NoChunkIsEmptyOnOneSide) {
  const Side own({8, 8, 0}), memory({8, 8, 2});
  EXPECT_THAT(Sizes(CutIntoChunks(own.layout, &memory.layout, 8)), ElementsAre(8, 8));
  EXPECT_THAT(Sizes(CutIntoChunks(memory.layout, &own.layout, 8)), ElementsAre(8, 10));
}

TEST(TokenChunksTest, CoversAnyBatch) {
  std::random_device device;
  const uint32_t seed = device();
  std::printf("lengths are drawn with seed %u\n", seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    std::vector<int32_t> a, b;
    for (uint32_t n = 1 + random() % 20; n > 0; --n) {
      a.push_back(1 + static_cast<int32_t>(random() % 30));
      b.push_back(1 + static_cast<int32_t>(random() % 30));
    }
    const Side own(a), memory(b);
    const auto limit = static_cast<int64_t>(1 + random() % 60);
    int64_t token = 0, memory_token = 0;
    size_t segment = 0;
    for (const TokenChunk& chunk : CutIntoChunks(own.layout, &memory.layout, limit)) {
      EXPECT_EQ(chunk.own.first, token);
      EXPECT_EQ(chunk.memory.first, memory_token);
      const TokenLayout& layout = chunk.own.layout;
      ASSERT_EQ(layout.begin.size(), chunk.memory.layout.begin.size());
      if (layout.begin.size() > 1) {
        EXPECT_LE(std::max(layout.num_tokens, chunk.memory.layout.num_tokens), limit);
      }
      for (size_t s = 0; s < layout.begin.size(); ++s, ++segment) {
        EXPECT_EQ(layout.begin[s] + token, own.begin[segment]);
        EXPECT_EQ(layout.end[s] + token, own.end[segment]);
        EXPECT_EQ(chunk.memory.layout.begin[s] + memory_token, memory.begin[segment]);
      }
      EXPECT_EQ(layout.token_keys.front(), own.keys[static_cast<size_t>(token)]);
      EXPECT_EQ(static_cast<int64_t>(layout.token_keys.size()), layout.num_tokens);
      token = chunk.own.end_token();
      memory_token = chunk.memory.end_token();
    }
    EXPECT_EQ(segment, a.size());
    EXPECT_EQ(token, own.layout.num_tokens);
  }
}

}  // namespace
}  // namespace frond
