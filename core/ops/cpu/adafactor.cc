#include "core/ops/cpu/adafactor.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/ops/cpu/adafactor_factored.h"
#include "core/ops/cpu/adafactor_unfactored.h"

namespace frond::cpu {
namespace {

// v = decay v + (1 - decay) (scale^2 sum / count + epsilon)
template <class T>
void MixMoment(const std::vector<double>& sums, int64_t count, const AdafactorStep& step, T* v) {
  const double scale = step.gradient_scale * step.gradient_scale / static_cast<double>(count);
  for (size_t i = 0; i < sums.size(); ++i) {
    v[i] = static_cast<T>(step.decay * static_cast<double>(v[i]) +
                          (1.0 - step.decay) * (scale * sums[i] + step.epsilon));
  }
}

template <class T>
double Mean(const T* v, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(v[i]);
  return sum / static_cast<double>(n);
}

// numerator / sqrt(v)
template <class T>
std::vector<T> InverseRoots(const T* v, int64_t n, double numerator) {
  std::vector<T> roots(static_cast<size_t>(n));
  for (size_t i = 0; i < roots.size(); ++i) {
    roots[i] = static_cast<T>(numerator / std::sqrt(static_cast<double>(v[i])));
  }
  return roots;
}

// What the update of a parameter is multiplied by, from the sums over it.
double UpdateScale(const UpdateSums& squares, int64_t count, const AdafactorStep& step) {
  const double n = static_cast<double>(count);
  double scale = step.learning_rate;
  if (step.multiply_by_parameter_scale) {
    scale *= std::max(std::sqrt(squares.param / n), step.epsilon_parameter);
  }
  if (step.clipping_threshold > 0) {
    scale /= std::max(1.0, std::sqrt(squares.update / n) / step.clipping_threshold);
  }
  return scale;
}

template <class T>
void UpdateFactored(ConstView grad, const AdafactorStep& step, T* v_row, T* v_col,
                    const MasterView& master) {
  const int64_t rows = grad.dim(0), cols = grad.dim(1);
  const T* g = grad.As<T>();
  const MasterAccess<T> p(master, step.rounding_key);
  const RowColSums sums = SquareSums(g, rows, cols);
  MixMoment<T>(sums.rows, cols, step, v_row);
  MixMoment<T>(sums.cols, rows, step, v_col);
  std::vector<T> row_factor =
      InverseRoots<T>(v_row, rows, step.gradient_scale * std::sqrt(Mean(v_row, rows)));
  const std::vector<T> col_factor = InverseRoots<T>(v_col, cols, 1.0);
  const UpdateSums squares = FactoredUpdateSums(g, p, row_factor, col_factor);
  const double scale = UpdateScale(squares, rows * cols, step);
  for (T& factor : row_factor) factor = static_cast<T>(scale * static_cast<double>(factor));
  ApplyFactored(g, row_factor, col_factor, step.keep, p);
}

template <class T>
void UpdateUnfactored(ConstView grad, const AdafactorStep& step, T* v, const MasterView& master) {
  const int64_t n = grad.num_elements();
  const T* g = grad.As<T>();
  const MasterAccess<T> p(master, step.rounding_key);
  const UpdateSums squares = UpdateSecondMoment(
      g, p, n,
      {.decay = step.decay, .gradient_scale = step.gradient_scale, .epsilon = step.epsilon}, v);
  const double scale = UpdateScale(squares, n, step);
  ApplyUnfactored(g, v, n, scale * step.gradient_scale, step.keep, p);
}

}  // namespace

void AdafactorUpdateFactored(Context&, ConstView grad, const AdafactorStep& step, View v_row,
                             View v_col, const MasterView& master) {
  if (grad.dtype == DType::kF64) {
    return UpdateFactored(grad, step, v_row.As<double>(), v_col.As<double>(), master);
  }
  UpdateFactored(grad, step, v_row.As<float>(), v_col.As<float>(), master);
}

void AdafactorUpdateUnfactored(Context&, ConstView grad, const AdafactorStep& step, View v,
                               const MasterView& master) {
  if (grad.dtype == DType::kF64) {
    return UpdateUnfactored(grad, step, v.As<double>(), master);
  }
  UpdateUnfactored(grad, step, v.As<float>(), master);
}

}  // namespace frond::cpu
