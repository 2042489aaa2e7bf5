#include "core/ops/cpu/adafactor_factored.h"

#include <algorithm>

#include "core/ops/cpu/vector_clones.h"

namespace frond::cpu {
namespace {

constexpr int kLanes = 32;
constexpr int64_t kSegment = kMasterRun;  // columns whose sums stay in the first-level cache
constexpr int64_t kRowsAtOnce = 32;       // rows that are summed in the element type
constexpr int64_t kSmall = 1 << 15;       // elements below which threads do not pay

// Rows cut into chunks of a size that depends on the shape alone.
struct Chunks {
  Chunks(int64_t rows, int64_t cols) : rows(rows) {
    const int64_t most = std::clamp<int64_t>((int64_t{1} << 22) / cols, 1, 64);
    rows_each = (rows + most - 1) / most;
    count = (rows + rows_each - 1) / rows_each;
    parallel = rows * cols > kSmall;
  }
  int64_t begin(int64_t c) const { return c * rows_each; }
  int64_t end(int64_t c) const { return std::min(rows, (c + 1) * rows_each); }

  int64_t rows, rows_each, count;
  bool parallel;
};

template <class T>
double SumLanes(const T (&lanes)[kLanes]) {
  double sum = 0;
  for (const T lane : lanes) sum += static_cast<double>(lane);
  return sum;
}

// Adds the squares of n <= kSegment elements to `cols` and returns their sum.
template <class T>
inline __attribute__((always_inline)) double SquareSegmentLoop(const T* g, int64_t n, T* cols) {
  T lanes[kLanes] = {};
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) {
    for (int l = 0; l < kLanes; ++l) {
      const T square = g[j + l] * g[j + l];
      cols[j + l] += square;
      lanes[l] += square;
    }
  }
  for (; j < n; ++j) {
    cols[j] += g[j] * g[j];
    lanes[0] += g[j] * g[j];
  }
  return SumLanes(lanes);
}

FROND_VECTOR_CLONES double SquareSegment(const float* g, int64_t n, float* cols) {
  return SquareSegmentLoop(g, n, cols);
}
double SquareSegment(const double* g, int64_t n, double* cols) {
  return SquareSegmentLoop(g, n, cols);
}

// Rows [begin, end): their sums, and their share of the column sums (added).
template <class T>
void SquareRows(const T* g, int64_t begin, int64_t end, int64_t cols, double* row_sums,
                double* col_sums) {
  alignas(64) T segment_cols[kSegment];
  for (int64_t row = begin; row < end; row += kRowsAtOnce) {
    const int64_t last = std::min(end, row + kRowsAtOnce);
    for (int64_t first = 0; first < cols; first += kSegment) {
      const int64_t n = std::min(kSegment, cols - first);
      std::fill_n(segment_cols, n, T{0});
      for (int64_t i = row; i < last; ++i) {
        row_sums[i] += SquareSegment(g + i * cols + first, n, segment_cols);
      }
      for (int64_t j = 0; j < n; ++j) col_sums[first + j] += static_cast<double>(segment_cols[j]);
    }
  }
}

// Sums of (g col_factor)^2 and p^2 over n <= kSegment elements.
template <class T>
inline __attribute__((always_inline)) UpdateSums UpdateSegmentLoop(const T* g, const T* p,
                                                                   const T* col_factor, int64_t n) {
  T updates[kLanes] = {}, params[kLanes] = {};
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) {
    for (int l = 0; l < kLanes; ++l) {
      const T u = g[j + l] * col_factor[j + l];
      updates[l] += u * u;
      params[l] += p[j + l] * p[j + l];
    }
  }
  for (; j < n; ++j) {
    const T u = g[j] * col_factor[j];
    updates[0] += u * u;
    params[0] += p[j] * p[j];
  }
  return {.update = SumLanes(updates), .param = SumLanes(params)};
}

FROND_VECTOR_CLONES UpdateSums UpdateSegment(const float* g, const float* p,
                                             const float* col_factor, int64_t n) {
  return UpdateSegmentLoop(g, p, col_factor, n);
}
UpdateSums UpdateSegment(const double* g, const double* p, const double* col_factor, int64_t n) {
  return UpdateSegmentLoop(g, p, col_factor, n);
}

// Of row i, without its own factor.
template <class T>
UpdateSums RowSums(const T* g, const MasterAccess<T>& p, const std::vector<T>& col_factor,
                   int64_t i) {
  alignas(64) T buffer[kSegment];
  const int64_t cols = static_cast<int64_t>(col_factor.size());
  UpdateSums row;
  for (int64_t first = 0; first < cols; first += kSegment) {
    const int64_t at = i * cols + first, n = std::min(kSegment, cols - first);
    const UpdateSums segment =
        UpdateSegment(g + at, p.Load(at, n, buffer), col_factor.data() + first, n);
    row.update += segment.update;
    row.param += segment.param;
  }
  return row;
}

// A run of one row of ApplyFactored.
template <class T>
struct RowUpdate {
  T keep, scale;
  const T* g;
  const T* col_factor;
};

template <class T>
inline __attribute__((always_inline)) void ApplyRowLoop(const RowUpdate<T>& row, int64_t n, T* p) {
  const T keep = row.keep, scale = row.scale;
  const T* g = row.g;
  const T* col_factor = row.col_factor;
#pragma GCC ivdep
  for (int64_t j = 0; j < n; ++j) p[j] = keep * p[j] - scale * g[j] * col_factor[j];
}

FROND_VECTOR_CLONES void ApplyRow(const RowUpdate<float>& row, int64_t n, float* p) {
  ApplyRowLoop(row, n, p);
}
void ApplyRow(const RowUpdate<double>& row, int64_t n, double* p) { ApplyRowLoop(row, n, p); }

}  // namespace

template <class T>
void SquareSums(const T* g, int64_t rows, int64_t cols, double* row_sums, double* col_sums) {
  const Chunks chunks(rows, cols);
  std::fill_n(row_sums, rows, 0.0);
  std::fill_n(col_sums, cols, 0.0);
  std::vector<double> parts(static_cast<size_t>(chunks.count * cols), 0.0);
#pragma omp parallel for schedule(dynamic) if (chunks.parallel)
  for (int64_t c = 0; c < chunks.count; ++c) {
    SquareRows(g, chunks.begin(c), chunks.end(c), cols, row_sums,
               &parts[static_cast<size_t>(c * cols)]);
  }
  for (int64_t c = 0; c < chunks.count; ++c) {
    for (int64_t j = 0; j < cols; ++j) {
      col_sums[j] += parts[static_cast<size_t>(c * cols + j)];
    }
  }
}

template <class T>
UpdateSums FactoredUpdateSums(const T* g, const MasterAccess<T>& p,
                              const std::vector<T>& row_factor, const std::vector<T>& col_factor) {
  const int64_t rows = static_cast<int64_t>(row_factor.size());
  const int64_t cols = static_cast<int64_t>(col_factor.size());
  const Chunks chunks(rows, cols);
  std::vector<UpdateSums> parts(static_cast<size_t>(chunks.count));
#pragma omp parallel for schedule(dynamic) if (chunks.parallel)
  for (int64_t c = 0; c < chunks.count; ++c) {
    UpdateSums sum;
    for (int64_t i = chunks.begin(c); i < chunks.end(c); ++i) {
      const UpdateSums row = RowSums(g, p, col_factor, i);
      const double factor = static_cast<double>(row_factor[static_cast<size_t>(i)]);
      sum.update += factor * factor * row.update;
      sum.param += row.param;
    }
    parts[static_cast<size_t>(c)] = sum;
  }
  return JoinSums(parts);
}

template <class T>
void ApplyFactored(const T* g, const std::vector<T>& row_scale, const std::vector<T>& col_factor,
                   double keep, const MasterAccess<T>& p) {
  const int64_t rows = static_cast<int64_t>(row_scale.size());
  const int64_t cols = static_cast<int64_t>(col_factor.size());
  const Chunks chunks(rows, cols);
  const T kept = static_cast<T>(keep);
#pragma omp parallel for schedule(static) if (chunks.parallel)
  for (int64_t i = 0; i < rows; ++i) {
    alignas(64) T buffer[kSegment];
    for (int64_t first = 0; first < cols; first += kSegment) {
      const int64_t at = i * cols + first, n = std::min(kSegment, cols - first);
      T* run = p.Load(at, n, buffer);
      ApplyRow({kept, row_scale[static_cast<size_t>(i)], g + at, col_factor.data() + first}, n,
               run);
      p.Store(run, at, n);
    }
  }
}

template void SquareSums(const float*, int64_t, int64_t, double*, double*);
template void SquareSums(const double*, int64_t, int64_t, double*, double*);
template UpdateSums FactoredUpdateSums(const float*, const MasterAccess<float>&,
                                       const std::vector<float>&, const std::vector<float>&);
template UpdateSums FactoredUpdateSums(const double*, const MasterAccess<double>&,
                                       const std::vector<double>&, const std::vector<double>&);
template void ApplyFactored(const float*, const std::vector<float>&, const std::vector<float>&,
                            double, const MasterAccess<float>&);
template void ApplyFactored(const double*, const std::vector<double>&, const std::vector<double>&,
                            double, const MasterAccess<double>&);

}  // namespace frond::cpu
