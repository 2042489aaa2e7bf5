// Matrix product in f64, for tests: oneDNN has none.
#pragma once

#include <cstdint>

#include "core/ops/matmul.h"

namespace frond::cpu {

// A matrix whose element (i, j) is data[i * row_stride + j * column_stride].
struct StridedMatrix {
  const double* data;
  int64_t row_stride, column_stride;
};

// c (+)= a b with a [m, k], b [k, n] and c [m, n] row-major. The sums' order depends on k alone.
void MatMulF64(StridedMatrix a, StridedMatrix b, Write mode, Shape mnk, double* c);

}  // namespace frond::cpu
