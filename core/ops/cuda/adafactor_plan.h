// How a matrix is cut for Adafactor's passes on a GPU: by its shape alone, so that sums have one
// order whatever the device. Plain host code.
#pragma once

#include <algorithm>
#include <cstdint>

namespace frond::cuda {

struct FactoredPlan {
  static constexpr int kWarps = 8;       // of a block; each takes every eighth row
  static constexpr int kTileCols = 512;  // of a block: 16 a lane
  static constexpr int kMostRows = 256;  // of a block

  FactoredPlan(int64_t rows, int64_t cols) : rows(rows), cols(cols) {
    // A block leaves one sum a column: the more rows it has, the less is written. But enough blocks
    // to fill a large device come first.
    constexpr int64_t kManyBlocks = 1024;
    col_tiles = (cols + kTileCols - 1) / kTileCols;
    rows_each = kMostRows;
    while (rows_each > 4 * kWarps && col_tiles * row_blocks() < kManyBlocks) rows_each /= 2;
  }

  constexpr int64_t row_blocks() const { return (rows + rows_each - 1) / rows_each; }
  constexpr int64_t blocks() const { return row_blocks() * col_tiles; }

  int64_t rows, cols;
  int64_t rows_each;  // of a block
  int64_t col_tiles;
};

}  // namespace frond::cuda
