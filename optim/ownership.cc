#include "optim/ownership.h"

#include <algorithm>

namespace frond {

ElementNumbers NumbersOf(const ParamSlice& slice) {
  return {.first = slice.first_row * slice.whole_cols + slice.first_col,
          .cols = slice.cols,
          .whole_cols = slice.whole_cols};
}

}  // namespace frond
