// Who writes which rows of a tensor that several ranks hold, in whole or in part.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/nn/param_slice.h"

namespace frond {

// Rows of the whole tensor.
struct RowShare {
  int rank = 0;
  int64_t first = 0;
  int64_t rows = 0;
};

// Shares out tensors in a fixed order, so that every rank that asks gets the same answer and all
// ranks write about as much.
class RowSharing {
 public:
  // A tensor is cut into pieces of no fewer bytes than this, unless it is smaller itself: a rank
  // more is not worth a smaller piece.
  static constexpr int64_t kMinPieceBytes = int64_t{1} << 20;
  explicit RowSharing(int64_t min_piece_bytes = kMinPieceBytes);

  // The next tensor: `by_rank` is what each rank holds of it. Every row is given to one of the
  // ranks that hold a part of it, even where another holds its other columns. The parts of one band
  // of rows must have the same rows, and all parts together must be the tensor (CHECKed). Sorted by
  // row.
  std::vector<RowShare> Next(std::span<const ParamSlice> by_rank, int64_t row_bytes);

 private:
  int64_t min_piece_bytes_;
  int64_t turn_ = 0;  // pieces so far: whose turn it is
};

}  // namespace frond
