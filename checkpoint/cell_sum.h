// A checksum that several writers of one range can compute each for its own part.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "core/base/hash.h"

namespace frond {

// A range of a file is a row of cells of equal length (of a tensor: its rows). Its checksum is the
// sum, modulo 2^64, of every cell's XXH3 under a seed that is the cell's number: sums of parts add
// up to the checksum of the whole, and cells that change places are found.
class CellSum {
 public:
  // Takes the bytes of cells `first`, first + 1, ... of the range. cell_bytes > 0 (CHECKed).
  CellSum(uint64_t cell_bytes, uint64_t first);

  // The next bytes, of whole cells or not.
  void Add(absl::string_view bytes);

  // Cells that are complete.
  uint64_t cells() const { return cells_; }
  // Of the complete cells.
  uint64_t sum() const { return sum_; }

 private:
  void EndCell(uint64_t hash);

  uint64_t cell_bytes_;
  uint64_t number_;
  uint64_t cells_ = 0;
  uint64_t sum_ = 0;
  uint64_t partial_ = 0;  // bytes of the cell that has begun
  StreamingHash begun_;
};

}  // namespace frond
