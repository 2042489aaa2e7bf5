#include "core/tensor/block_arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

namespace frond {
namespace {

constexpr size_t kUnit = 512;

// Chunks that live as long as the test.
class BlockArenaTest : public ::testing::Test {
 protected:
  char* Take(size_t bytes) {
    return static_cast<char*>(arena_.Take(bytes, [this](size_t chunk) -> void* {
      asked_for_.push_back(chunk);
      memory_.push_back(std::make_unique<char[]>(chunk));
      return memory_.back().get();
    }));
  }

  std::vector<std::unique_ptr<char[]>> memory_;
  std::vector<size_t> asked_for_;
  BlockArena arena_;
};

TEST_F(BlockArenaTest, GrowsByWholeChunksAndByWhatIsLarger) {
  Take(kUnit);
  Take(2 * kUnit);
  EXPECT_EQ(asked_for_, std::vector<size_t>{BlockArena::kChunkBytes});
  Take(3 * BlockArena::kChunkBytes);
  EXPECT_EQ(asked_for_.back(), 3 * BlockArena::kChunkBytes);
  EXPECT_EQ(arena_.bytes(), 4 * BlockArena::kChunkBytes);
  EXPECT_EQ(arena_.taken_bytes(), 3 * BlockArena::kChunkBytes + 3 * kUnit);
  EXPECT_EQ(arena_.chunks().size(), 2u);
}

TEST_F(BlockArenaTest, TheSmallestGapThatHoldsAPlaceIsTaken) {
  char* large = Take(8 * kUnit);
  Take(kUnit);
  char* small = Take(2 * kUnit);
  Take(kUnit);
  arena_.Give(large);
  arena_.Give(small);
  EXPECT_EQ(Take(2 * kUnit), small);
  EXPECT_EQ(Take(2 * kUnit), large);
}

TEST_F(BlockArenaTest, NeighbouringGapsBecomeOne) {
  std::vector<char*> places;
  for (int i = 0; i < 4; ++i) places.push_back(Take(BlockArena::kChunkBytes / 4));
  for (const int i : {0, 2, 1, 3}) EXPECT_TRUE(arena_.Give(places[static_cast<size_t>(i)]));
  EXPECT_EQ(Take(BlockArena::kChunkBytes), places[0]);
  EXPECT_EQ(asked_for_.size(), 1u);
}

TEST_F(BlockArenaTest, KnowsItsOwnPlaces) {
  char* place = Take(kUnit);
  char other = 0;
  EXPECT_FALSE(arena_.Give(&other));
  EXPECT_TRUE(arena_.Give(place));
  EXPECT_DEATH(arena_.Give(place), "freed twice");
}

// Random takes and gives: no two places overlap, and when all are given back, every chunk is one
// gap.
TEST_F(BlockArenaTest, PlacesNeverOverlap) {
  const uint32_t seed = std::random_device{}();
  std::mt19937 random(seed);
  struct Place {
    char* begin;
    size_t bytes;
    char mark;
  };
  std::vector<Place> places;
  for (int i = 0; i < 4000; ++i) {
    if (places.empty() || random() % 5 < 3) {
      const size_t bytes = kUnit * (1 + (random() % 8 == 0 ? random() % 3000 : random() % 30));
      places.push_back({Take(bytes), bytes, static_cast<char>(random())});
      std::fill_n(places.back().begin, bytes, places.back().mark);
      continue;
    }
    std::swap(places[random() % places.size()], places.back());
    const Place& place = places.back();
    ASSERT_EQ(std::count(place.begin, place.begin + place.bytes, place.mark),
              static_cast<ptrdiff_t>(place.bytes))
        << "seed " << seed;
    arena_.Give(place.begin);
    places.pop_back();
  }
  for (const Place& place : places) arena_.Give(place.begin);
  EXPECT_EQ(arena_.taken_bytes(), 0u);
  const size_t chunks = asked_for_.size();
  for (const size_t bytes : std::vector<size_t>(asked_for_)) Take(bytes);
  EXPECT_EQ(asked_for_.size(), chunks) << "seed " << seed;
}

}  // namespace
}  // namespace frond
