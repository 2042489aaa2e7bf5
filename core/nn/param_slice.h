// Which part of a parameter a rank holds.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/tensor/shape.h"

namespace frond {

// A rank's place on one axis of a mesh.
struct AxisPlace {
  int rank = 0;
  int size = 1;
};

// A rectangle of the whole parameter, seen as a matrix [dim 0, all other dims]; a vector is a
// column. The part lies contiguous and row-major in the rank's memory.
struct ParamSlice {
  int64_t whole_rows = 0, whole_cols = 0;
  int64_t first_row = 0, rows = 0;
  int64_t first_col = 0, cols = 0;

  static ParamSlice Whole(const Shape& shape) {
    const int64_t cols = shape.row_size();
    return {.whole_rows = shape.dim(0), .whole_cols = cols, .rows = shape.dim(0), .cols = cols};
  }

  int64_t num_elements() const { return rows * cols; }
  bool is_whole() const { return rows == whole_rows && cols == whole_cols; }
  // Rows [begin, end) of the part.
  ParamSlice Rows(int64_t begin, int64_t end) const {
    ParamSlice slice = *this;
    slice.first_row += begin;
    slice.rows = end - begin;
    return slice;
  }
  // The rows for the rank at `place`, cut into shares of equal size, rounded up: the last ranks may
  // have fewer rows, or none.
  ParamSlice ShareOfRows(const AxisPlace& place) const {
    const int64_t share = (rows + place.size - 1) / place.size;
    return Rows(std::min(rows, place.rank * share), std::min(rows, (place.rank + 1) * share));
  }
  // Where the part's element `local` lies in the whole parameter.
  int64_t WholeIndex(int64_t local) const {
    return (first_row + local / cols) * whole_cols + first_col + local % cols;
  }

  // Calls visit(whole, local, count) for each run of the part's elements [first, first + count)
  // that is contiguous in the whole parameter too, in order.
  template <class Visit>
  void ForRuns(int64_t first, int64_t count, const Visit& visit) const {
    if (cols == whole_cols) {
      if (count > 0) visit(WholeIndex(first), first, count);
      return;
    }
    for (int64_t local = first; local < first + count;) {
      const int64_t run = std::min(first + count - local, cols - local % cols);
      visit(WholeIndex(local), local, run);
      local += run;
    }
  }
};

}  // namespace frond
