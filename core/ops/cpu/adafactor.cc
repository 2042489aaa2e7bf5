#include "core/ops/cpu/adafactor.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/ops/cpu/adafactor_factored.h"
#include "core/ops/cpu/adafactor_unfactored.h"

namespace frond::cpu {
namespace {

// Calls `function` with a value of the C++ type that parameters of this dtype are updated in.
template <class Function>
void VisitUpdateType(DType dtype, const Function& function) {
  if (dtype == DType::kF64) return function(double{});
  function(float{});
}

// v = decay v + (1 - decay) (scale^2 sum / count + epsilon)
template <class T>
void MixMoment(ConstView sums, int64_t count, const AdafactorStep& step, T* v) {
  const double scale = step.gradient_scale * step.gradient_scale / static_cast<double>(count);
  const auto* sum = sums.As<double>();
  for (int64_t i = 0; i < sums.num_elements(); ++i) {
    v[i] = static_cast<T>(step.decay * static_cast<double>(v[i]) +
                          (1.0 - step.decay) * (scale * sum[i] + step.epsilon));
  }
}

template <class T>
double Sum(const T* v, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(v[i]);
  return sum;
}

// numerator / sqrt(v)
template <class T>
std::vector<T> InverseRoots(ConstView v, double numerator) {
  std::vector<T> roots(static_cast<size_t>(v.num_elements()));
  const T* moment = v.As<T>();
  for (size_t i = 0; i < roots.size(); ++i) {
    roots[i] = static_cast<T>(numerator / std::sqrt(static_cast<double>(moment[i])));
  }
  return roots;
}

// The update is row_i g_ij col_j.
template <class T>
struct Factors {
  std::vector<T> row, col;

  Factors(const AdafactorStep& step, const FactoredMoments& moments) {
    const double mean = *moments.sum.As<double>() / static_cast<double>(step.whole_rows);
    row = InverseRoots<T>(moments.row, step.gradient_scale * std::sqrt(mean));
    col = InverseRoots<T>(moments.col, 1.0);
  }
};

// What the update of a parameter is multiplied by, from the sums over it.
double UpdateScale(ConstView squares, const AdafactorStep& step) {
  const auto* sums = squares.As<double>();
  const double n = static_cast<double>(step.whole_rows * step.whole_cols);
  double scale = step.learning_rate;
  if (step.multiply_by_parameter_scale) {
    scale *= std::max(std::sqrt(sums[1] / n), step.epsilon_parameter);
  }
  if (step.clipping_threshold > 0) {
    scale /= std::max(1.0, std::sqrt(sums[0] / n) / step.clipping_threshold);
  }
  return scale;
}

void Store(const UpdateSums& sums, View squares) {
  squares.As<double>()[0] = sums.update;
  squares.As<double>()[1] = sums.param;
}

}  // namespace

void AdafactorSquareSums(Context&, ConstView grad, const FactoredSums& sums) {
  VisitUpdateType(grad.dtype, [&](auto element) {
    SquareSums(grad.As<decltype(element)>(), grad.dim(0), grad.dim(1), sums.rows.As<double>(),
               sums.cols.As<double>());
  });
}

void AdafactorMoments(Context&, const FactoredSums& sums, const AdafactorStep& step,
                      const FactoredMoments& moments) {
  VisitUpdateType(moments.row.dtype, [&](auto element) {
    using T = decltype(element);
    MixMoment(sums.rows, step.whole_cols, step, moments.row.As<T>());
    MixMoment(sums.cols, step.whole_rows, step, moments.col.As<T>());
    *moments.sum.As<double>() = Sum(moments.row.As<T>(), moments.row.num_elements());
  });
}

void AdafactorFactoredSquares(Context&, ConstView grad, const AdafactorStep& step,
                              const FactoredMoments& moments, const MasterView& master,
                              View squares) {
  VisitUpdateType(grad.dtype, [&](auto element) {
    using T = decltype(element);
    const Factors<T> factors(step, moments);
    const MasterAccess<T> p(master, step.rounding_key, step.numbers);
    Store(FactoredUpdateSums(grad.As<T>(), p, factors.row, factors.col), squares);
  });
}

void AdafactorApplyFactored(Context&, ConstView grad, const AdafactorStep& step,
                            const FactoredMoments& moments, ConstView squares,
                            const MasterView& master) {
  VisitUpdateType(grad.dtype, [&](auto element) {
    using T = decltype(element);
    Factors<T> factors(step, moments);
    const double scale = UpdateScale(squares, step);
    for (T& factor : factors.row) factor = static_cast<T>(scale * static_cast<double>(factor));
    const MasterAccess<T> p(master, step.rounding_key, step.numbers);
    ApplyFactored(grad.As<T>(), factors.row, factors.col, step.keep, p);
  });
}

void AdafactorUnfactoredSquares(Context&, ConstView grad, const AdafactorStep& step, View v,
                                const MasterView& master, View squares) {
  const SecondMomentStep moment = {
      .decay = step.decay, .gradient_scale = step.gradient_scale, .epsilon = step.epsilon};
  VisitUpdateType(grad.dtype, [&](auto element) {
    using T = decltype(element);
    const MasterAccess<T> p(master, step.rounding_key, step.numbers);
    Store(UpdateSecondMoment(grad.As<T>(), p, grad.num_elements(), moment, v.As<T>()), squares);
  });
}

void AdafactorApplyUnfactored(Context&, ConstView grad, const AdafactorStep& step, ConstView v,
                              ConstView squares, const MasterView& master) {
  VisitUpdateType(grad.dtype, [&](auto element) {
    using T = decltype(element);
    const MasterAccess<T> p(master, step.rounding_key, step.numbers);
    ApplyUnfactored(grad.As<T>(), v.As<T>(), grad.num_elements(),
                    UpdateScale(squares, step) * step.gradient_scale, step.keep, p);
  });
}

}  // namespace frond::cpu
