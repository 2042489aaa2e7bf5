// Matrix product, one element at a time.
#pragma once

#include <cstdint>
#include <vector>

namespace frond::testing::reference {

struct MatMulShape {
  int64_t m, n, k;
  bool transpose_a = false, transpose_b = false, accumulate = false;
};

inline void MatMul(const MatMulShape& shape, const std::vector<double>& a,
                   const std::vector<double>& b, std::vector<double>& c) {
  const auto [m, n, k, transpose_a, transpose_b, accumulate] = shape;
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      long double sum = 0;
      for (int64_t p = 0; p < k; ++p) {
        const double left = a[static_cast<size_t>(transpose_a ? p * m + i : i * k + p)];
        const double right = b[static_cast<size_t>(transpose_b ? j * k + p : p * n + j)];
        sum += static_cast<long double>(left) * right;
      }
      double& target = c[static_cast<size_t>(i * n + j)];
      target = (accumulate ? target : 0.0) + static_cast<double>(sum);
    }
  }
}

}  // namespace frond::testing::reference
