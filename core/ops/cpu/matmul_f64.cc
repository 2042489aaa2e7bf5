#include "core/ops/cpu/matmul_f64.h"

#include <algorithm>
#include <vector>

#include "core/ops/cpu/vector_clones.h"

namespace frond::cpu {
namespace {

constexpr int64_t kRows = 4;       // rows of c that share a pass over b
constexpr int64_t kColumns = 256;  // columns of one pass
constexpr int64_t kDepth = 128;    // rows of b that stay in cache

// c[r, j] += sum_p a[p * kRows + r] b[p, j] for kRows rows, `depth` p and `columns` j.
FROND_VECTOR_CLONES void AddPanel(const double* __restrict a, const double* __restrict b,
                                  int64_t b_stride, int64_t depth, int64_t columns,
                                  double* __restrict c) {
  double* __restrict c0 = c;
  double* __restrict c1 = c + kColumns;
  double* __restrict c2 = c + 2 * kColumns;
  double* __restrict c3 = c + 3 * kColumns;
  for (int64_t p = 0; p < depth; ++p) {
    const double a0 = a[p * kRows], a1 = a[p * kRows + 1];
    const double a2 = a[p * kRows + 2], a3 = a[p * kRows + 3];
    const double* __restrict row = b + p * b_stride;
    for (int64_t j = 0; j < columns; ++j) {
      c0[j] += a0 * row[j];
      c1[j] += a1 * row[j];
      c2[j] += a2 * row[j];
      c3[j] += a3 * row[j];
    }
  }
}

struct Problem {
  StridedMatrix a;
  const double* b;  // [k, n] row-major
  int64_t m, n, k;
  Write mode;
  double* c;
};

void ComputeTile(const Problem& problem, int64_t row, int64_t column) {
  const int64_t rows = std::min(kRows, problem.m - row);
  const int64_t columns = std::min(kColumns, problem.n - column);
  double sums[kRows * kColumns] = {};
  double left[kDepth * kRows];
  for (int64_t begin = 0; begin < problem.k; begin += kDepth) {
    const int64_t depth = std::min(kDepth, problem.k - begin);
    for (int64_t p = 0; p < depth; ++p) {
      for (int64_t r = 0; r < kRows; ++r) {
        const int64_t at = (row + r) * problem.a.row_stride + (begin + p) * problem.a.column_stride;
        left[p * kRows + r] = r < rows ? problem.a.data[at] : 0.0;
      }
    }
    AddPanel(left, problem.b + begin * problem.n + column, problem.n, depth, columns, sums);
  }
  for (int64_t r = 0; r < rows; ++r) {
    double* target = problem.c + (row + r) * problem.n + column;
    const double* source = sums + r * kColumns;
    for (int64_t j = 0; j < columns; ++j) {
      target[j] = (problem.mode == Write::kAccumulate ? target[j] : 0.0) + source[j];
    }
  }
}

}  // namespace

void MatMulF64(StridedMatrix a, StridedMatrix b, Write mode, Shape mnk, double* c) {
  const int64_t m = mnk.dim(0), n = mnk.dim(1), k = mnk.dim(2);
  std::vector<double> plain;
  const double* right = b.data;
  if (b.column_stride != 1 || b.row_stride != n) {
    plain.resize(static_cast<size_t>(k * n));
    for (int64_t p = 0; p < k; ++p) {
      for (int64_t j = 0; j < n; ++j) {
        plain[static_cast<size_t>(p * n + j)] = b.data[p * b.row_stride + j * b.column_stride];
      }
    }
    right = plain.data();
  }
  const Problem problem = {a, right, m, n, k, mode, c};
  const int64_t column_tiles = (n + kColumns - 1) / kColumns;
  const int64_t tiles = (m + kRows - 1) / kRows * column_tiles;
#pragma omp parallel for schedule(static) if (m * n * k > 32768)
  for (int64_t tile = 0; tile < tiles; ++tile) {
    ComputeTile(problem, tile / column_tiles * kRows, tile % column_tiles * kColumns);
  }
}

}  // namespace frond::cpu
