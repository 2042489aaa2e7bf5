#include "optim/ownership.h"

#include <algorithm>

namespace frond {

ParamSlice ShareOfRows(const ParamSlice& part, const AxisPlace& place) {
  const int64_t each = (part.rows + place.size - 1) / place.size;
  return part.Rows(std::min(part.rows, place.rank * each),
                   std::min(part.rows, (place.rank + 1) * each));
}

ElementNumbers NumbersOf(const ParamSlice& slice) {
  return {.first = slice.first_row * slice.whole_cols + slice.first_col,
          .cols = slice.cols,
          .whole_cols = slice.whole_cols};
}

}  // namespace frond
