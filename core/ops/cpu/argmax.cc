#include "core/ops/cpu/argmax.h"

#include <limits>

namespace frond::cpu {

void ArgMaxRows(Context&, ConstView x, std::span<int32_t> best) {
  const int64_t rows = x.dim(0), cols = x.dim(1);
  VisitFloatType(x.dtype, [&](auto element) {
    using T = Accumulator<decltype(element)>;
    const T* data = x.As<T>();
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; ++r) {
      const T* row = data + r * cols;
      T largest = -std::numeric_limits<T>::infinity();
      int64_t at = 0;
      for (int64_t c = 0; c < cols; ++c) {
        if (row[c] > largest) {
          largest = row[c];
          at = c;
        }
      }
      best[static_cast<size_t>(r)] = static_cast<int32_t>(at);
    }
  });
}

}  // namespace frond::cpu
