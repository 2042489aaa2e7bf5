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

// One row; `gradient` is null where none is wanted.
template <class T, class G>
void LossRow(const SoftmaxLossRows& rows, size_t r, int64_t n, T* x, T* nll, T* log_z,
             G* gradient) {
  const int32_t target = rows.targets[r];
  const double target_logit = rows.scale * static_cast<double>(x[target]);
  const T shift = static_cast<T>(rows.scale * static_cast<double>(Maximum(x, n)));
  const double sum = Exponentials(rows.scale, shift, x, n);
  const double log_sum = static_cast<double>(shift) + std::log(sum);
  nll[r] = static_cast<T>(log_sum - target_logit);
  log_z[r] = static_cast<T>(log_sum);
  if (gradient == nullptr) return;
  const double weight = rows.weights[r] * rows.scale;
  if (weight == 0) {
    std::fill(gradient, gradient + n, G{});
    return;
  }
  const double factor = weight * (1 + 2 * rows.z_loss * log_sum) / sum;
  const double at_target = factor * static_cast<double>(x[target]) - weight;
  Scaled(factor, x, gradient, n);
  if constexpr (std::is_same_v<G, BFloat16>) {
    gradient[target] = BFloat16(static_cast<float>(at_target));
  } else {
    gradient[target] = static_cast<G>(at_target);
  }
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

}  // namespace

void SoftmaxLoss(Context&, View logits, const SoftmaxLossRows& rows, View nll, View log_z,
                 View dlogits) {
  const bool wanted = dlogits.data != nullptr;
  if (logits.dtype == DType::kF64) {
    double* gradient = wanted ? dlogits.As<double>() : nullptr;
    return LossRows<double>(logits, rows, nll, log_z, gradient);
  }
  if (wanted && dlogits.dtype == DType::kBF16) {
    return LossRows<float>(logits, rows, nll, log_z, dlogits.As<BFloat16>());
  }
  float* gradient = wanted ? dlogits.As<float>() : nullptr;
  LossRows<float>(logits, rows, nll, log_z, gradient);
}

}  // namespace frond::cpu
