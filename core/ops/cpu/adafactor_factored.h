// The three passes of Adafactor over a matrix [rows, cols], each bound by memory.
//
// Work is cut by the shape alone and partial sums are joined in a fixed order: no result depends on
// the number of threads. Sums run in the element type over at most a few hundred values, then f64.
#pragma once

#include <cstdint>
#include <vector>

#include "core/ops/cpu/master_access.h"
#include "core/ops/cpu/update_sums.h"

namespace frond::cpu {

// row_sums_i = sum_j g_ij^2 and col_sums_j = sum_i g_ij^2. Reads g once.
template <class T>
void SquareSums(const T* g, int64_t rows, int64_t cols, double* row_sums, double* col_sums);

// The update is row_factor_i g_ij col_factor_j. Reads g and p once.
template <class T>
UpdateSums FactoredUpdateSums(const T* g, const MasterAccess<T>& p,
                              const std::vector<T>& row_factor, const std::vector<T>& col_factor);

// p_ij = keep p_ij - row_scale_i g_ij col_factor_j. Reads g and p, writes p.
template <class T>
void ApplyFactored(const T* g, const std::vector<T>& row_scale, const std::vector<T>& col_factor,
                   double keep, const MasterAccess<T>& p);

}  // namespace frond::cpu
