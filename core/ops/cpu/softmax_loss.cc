// Three passes over a row (maximum; exponentials and their sum; scaling to the gradient): a row of
// a quarter million logits stays in the second-level cache between them.
#include "core/ops/cpu/softmax_loss.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "core/ops/cpu/row_convert.h"
#include "core/ops/cpu/vector_clones.h"
#include "core/ops/cpu/vector_exp.h"

namespace frond::cpu {
namespace {

constexpr int kLanes = 64;
constexpr int64_t kRun = 16 * kLanes;  // f32 sums are short: 16 terms a lane, then f64

FROND_VECTOR_CLONES float MaximumF32(const float* x, int64_t n) {
  float lanes[kLanes];
  for (int j = 0; j < kLanes; ++j) lanes[j] = x[0];
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int j = 0; j < kLanes; ++j) lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
  }
  float maximum = x[0];
  for (; i < n; ++i) maximum = x[i] > maximum ? x[i] : maximum;
  for (int j = 0; j < kLanes; ++j) maximum = lanes[j] > maximum ? lanes[j] : maximum;
  return maximum;
}

// x = exp(scale x - shift) in place; the sum of the results.
FROND_VECTOR_CLONES double ExponentialsF32(float scale, float shift, float* x, int64_t n) {
  double sum = 0;
  int64_t i = 0;
  while (i + kLanes <= n) {
    float lanes[kLanes] = {};
    const int64_t end = i + kRun <= n ? i + kRun : i + (n - i) / kLanes * kLanes;
    for (; i < end; i += kLanes) {
      for (int j = 0; j < kLanes; ++j) {
        const float e = VectorExp(scale * x[i + j] - shift);
        x[i + j] = e;
        lanes[j] += e;
      }
    }
    for (int j = 0; j < kLanes; ++j) sum += lanes[j];
  }
  for (; i < n; ++i) {
    x[i] = VectorExp(scale * x[i] - shift);
    sum += x[i];
  }
  return sum;
}

float Maximum(const float* x, int64_t n) { return MaximumF32(x, n); }
double Maximum(const double* x, int64_t n) { return *std::max_element(x, x + n); }

double Exponentials(double scale, float shift, float* x, int64_t n) {
  return ExponentialsF32(static_cast<float>(scale), shift, x, n);
}
double Exponentials(double scale, double shift, double* x, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    x[i] = std::exp(scale * x[i] - shift);
    sum += x[i];
  }
  return sum;
}

void Scaled(double alpha, const float* x, float* y, int64_t n) {
  ScaledRun(static_cast<float>(alpha), x, y, n);
}
void Scaled(double alpha, const float* x, BFloat16* y, int64_t n) {
  ScaledRun(static_cast<float>(alpha), x, y, n);
}
void Scaled(double alpha, const double* x, double* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = alpha * x[i];
}

// What is taken from a row's scaled logits before the exponential.
template <class T>
T Shift(const SoftmaxLossRows& rows, T maximum) {
  return static_cast<T>(rows.scale * static_cast<double>(maximum));
}

// gradient = factor x, less `weight` at the target (-1: none); x may be its own memory.
template <class T, class G>
void WriteGradient(double factor, double weight, int32_t target, const T* x, int64_t n,
                   G* gradient) {
  if (weight == 0) {
    std::fill(gradient, gradient + n, G{});
    return;
  }
  const double at_target = target < 0 ? 0 : factor * static_cast<double>(x[target]) - weight;
  Scaled(factor, x, gradient, n);
  if (target < 0) return;
  if constexpr (std::is_same_v<G, BFloat16>) {
    gradient[target] = BFloat16(static_cast<float>(at_target));
  } else {
    gradient[target] = static_cast<G>(at_target);
  }
}

// One row; `gradient` is null where none is wanted.
template <class T, class G>
void LossRow(const SoftmaxLossRows& rows, size_t r, int64_t n, T* x, T* nll, T* log_z,
             G* gradient) {
  const int32_t target = rows.targets[r];
  const double target_logit = rows.scale * static_cast<double>(x[target]);
  const T shift = Shift(rows, Maximum(x, n));
  const double sum = Exponentials(rows.scale, shift, x, n);
  const double log_sum = static_cast<double>(shift) + std::log(sum);
  nll[r] = static_cast<T>(log_sum - target_logit);
  log_z[r] = static_cast<T>(log_sum);
  if (gradient == nullptr) return;
  const double weight = rows.weights[r] * rows.scale;
  const double factor = weight * (1 + 2 * rows.z_loss * log_sum) / sum;
  WriteGradient(factor, weight, target, x, n, gradient);
}

template <class T, class G>
void LossRows(View logits, const SoftmaxLossRows& rows, View nll, View log_z, G* gradient) {
  const int64_t count = logits.dim(0), n = logits.dim(1);
  T* x = logits.As<T>();
  T* nll_rows = nll.As<T>();
  T* log_z_rows = log_z.As<T>();
#pragma omp parallel for schedule(static) if (count > 1)
  for (int64_t r = 0; r < count; ++r) {
    LossRow(rows, static_cast<size_t>(r), n, x + r * n, nll_rows, log_z_rows,
            gradient == nullptr ? nullptr : gradient + r * n);
  }
}

template <class T>
void StatisticsRows(View logits, const SoftmaxLossRows& rows, SoftmaxStatistics<T>* own) {
  const int64_t count = logits.dim(0), n = logits.dim(1);
#pragma omp parallel for schedule(static) if (count > 1)
  for (int64_t r = 0; r < count; ++r) {
    T* x = logits.As<T>() + r * n;
    const int32_t target = rows.targets[static_cast<size_t>(r)];
    own[r] = {.maximum = Maximum(x, n), .sum = 0, .target_logit = target < 0 ? T{0} : x[target]};
    own[r].sum = static_cast<T>(Exponentials(rows.scale, Shift(rows, own[r].maximum), x, n));
  }
}

// The statistics of all parts of one row.
template <class T>
struct AllParts {
  const SoftmaxStatistics<T>* row;  // in the first part
  int64_t parts, stride;

  T Maximum() const {
    T maximum = row->maximum;
    for (int64_t p = 1; p < parts; ++p) maximum = std::max(maximum, row[p * stride].maximum);
    return maximum;
  }
  // Of exponentials relative to the whole row's `shift`.
  double Sum(const SoftmaxLossRows& rows, T shift) const {
    double sum = 0;
    for (int64_t p = 0; p < parts; ++p) {
      const SoftmaxStatistics<T>& part = row[p * stride];
      sum += static_cast<double>(part.sum) * Factor(Shift(rows, part.maximum), shift);
    }
    return sum;
  }
  double TargetLogit() const {
    double logit = 0;
    for (int64_t p = 0; p < parts; ++p) logit += static_cast<double>(row[p * stride].target_logit);
    return logit;
  }
  // From a part's exponentials to the whole row's.
  static double Factor(T part_shift, T shift) {
    return std::exp(static_cast<double>(part_shift) - static_cast<double>(shift));
  }
};

// The operands of PartLoss's rows.
template <class T>
struct PartRows {
  const SoftmaxLossRows& rows;
  const SoftmaxStatistics<T>* own;
  T *nll, *log_z;
};

// As LossRow, from exponentials relative to the part's own maximum.
template <class T, class G>
void PartRow(const PartRows<T>& part, int64_t r, AllParts<T> all, const T* x, int64_t n,
             G* gradient) {
  const SoftmaxLossRows& rows = part.rows;
  const auto at = static_cast<size_t>(r);
  const T shift = Shift(rows, all.Maximum());
  const double sum = all.Sum(rows, shift);
  const double log_sum = static_cast<double>(shift) + std::log(sum);
  part.nll[r] = static_cast<T>(log_sum - rows.scale * all.TargetLogit());
  part.log_z[r] = static_cast<T>(log_sum);
  if (gradient == nullptr) return;
  const double weight = rows.weights[at] * rows.scale;
  const double factor = weight * (1 + 2 * rows.z_loss * log_sum) / sum *
                        AllParts<T>::Factor(Shift(rows, part.own[r].maximum), shift);
  WriteGradient(factor, weight, rows.targets[at], x, n, gradient);
}

// Calls run(T, G*) with the logits' type and the gradient's, whose pointer is null where none is
// wanted.
template <class Run>
void VisitTypes(View logits, View dlogits, const Run& run) {
  if (logits.dtype == DType::kF64) return run(double{}, static_cast<double*>(dlogits.data));
  if (dlogits.data != nullptr && dlogits.dtype == DType::kBF16) {
    return run(float{}, dlogits.As<BFloat16>());
  }
  run(float{}, static_cast<float*>(dlogits.data));
}

}  // namespace

void SoftmaxLoss(Context&, View logits, const SoftmaxLossRows& rows, View nll, View log_z,
                 View dlogits) {
  VisitTypes(logits, dlogits, [&](auto type, auto* gradient) {
    LossRows<decltype(type)>(logits, rows, nll, log_z, gradient);
  });
}

void PartStatistics(Context&, View logits, const SoftmaxLossRows& rows, View own) {
  VisitTypes(logits, {}, [&](auto type, auto*) {
    using T = decltype(type);
    StatisticsRows(logits, rows, static_cast<SoftmaxStatistics<T>*>(own.data));
  });
}

void PartLoss(Context&, View logits, const SoftmaxLossRows& rows, ConstView own, ConstView all,
              View nll, View log_z, View dlogits) {
  const int64_t count = logits.dim(0), n = logits.dim(1), parts = all.dim(0) / count;
  VisitTypes(logits, dlogits, [&](auto type, auto* gradient) {
    using T = decltype(type);
    const PartRows<T> part = {.rows = rows,
                              .own = static_cast<const SoftmaxStatistics<T>*>(own.data),
                              .nll = nll.As<T>(),
                              .log_z = log_z.As<T>()};
    const auto* statistics = static_cast<const SoftmaxStatistics<T>*>(all.data);
#pragma omp parallel for schedule(static) if (count > 1)
    for (int64_t r = 0; r < count; ++r) {
      PartRow(part, r, {statistics + r, parts, count}, logits.As<T>() + r * n, n,
              gradient == nullptr ? nullptr : gradient + r * n);
    }
  });
}

}  // namespace frond::cpu
