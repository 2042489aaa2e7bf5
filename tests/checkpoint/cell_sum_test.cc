#include "checkpoint/cell_sum.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "tests/checkpoint/temp_folder.h"

namespace frond {
namespace {

std::string RandomBytes(std::mt19937_64& random, size_t size) {
  std::string bytes(size, ' ');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

uint64_t SumOf(absl::string_view bytes, uint64_t cell, uint64_t first = 0) {
  CellSum sum(cell, first);
  sum.Add(bytes);
  EXPECT_EQ(sum.cells(), bytes.size() / cell);
  return sum.sum();
}

// By its definition: every cell's XXH3 under its number.
TEST(CellSumTest, IsTheSumOfItsCells) {
  std::mt19937_64 random(FreshSeed());
  for (const uint64_t cell : {1, 4, 100, 5000}) {
    const std::string bytes = RandomBytes(random, 7 * cell);
    uint64_t expected = 0;
    for (uint64_t i = 0; i < 7; ++i) {
      expected += SeededHash64(absl::string_view(bytes).substr(i * cell, cell), i);
    }
    EXPECT_EQ(SumOf(bytes, cell), expected) << cell;
  }
  EXPECT_EQ(SumOf("one cell", 8), Hash64("one cell"));
}

TEST(CellSumTest, PiecesAndPartsAddUp) {
  std::mt19937_64 random(FreshSeed());
  for (int trial = 0; trial < 200; ++trial) {
    const uint64_t cell = 1 + random() % 300, cells = 1 + random() % 20;
    const std::string bytes = RandomBytes(random, cell * cells);
    const uint64_t whole = SumOf(bytes, cell);
    CellSum in_pieces(cell, 0);
    for (size_t at = 0; at < bytes.size();) {
      const size_t size = std::min<size_t>(random() % 500, bytes.size() - at);
      in_pieces.Add(absl::string_view(bytes).substr(at, size));
      at += size;
    }
    EXPECT_EQ(in_pieces.sum(), whole);
    const uint64_t cut = random() % (cells + 1);
    EXPECT_EQ(SumOf(bytes.substr(0, cut * cell), cell) + SumOf(bytes.substr(cut * cell), cell, cut),
              whole);
  }
}

TEST(CellSumTest, EveryChangeIsFound) {
  std::mt19937_64 random(FreshSeed());
  for (const uint64_t cell : {1, 2, 4, 64, 1000}) {
    const std::string bytes = RandomBytes(random, 50 * cell);
    const uint64_t right = SumOf(bytes, cell);
    for (int trial = 0; trial < 200; ++trial) {
      std::string flipped = bytes;
      flipped[random() % flipped.size()] ^= static_cast<char>(1 << random() % 8);
      EXPECT_NE(SumOf(flipped, cell), right);
      // Two cells that change places.
      const uint64_t a = random() % 50, b = random() % 50;
      std::string swapped = bytes;
      swapped.replace(a * cell, cell, bytes, b * cell, cell);
      swapped.replace(b * cell, cell, bytes, a * cell, cell);
      EXPECT_EQ(SumOf(swapped, cell) == right, swapped == bytes) << a << " and " << b;
    }
  }
}

}  // namespace
}  // namespace frond
