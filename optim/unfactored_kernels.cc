#include "optim/unfactored_kernels.h"

#include <algorithm>
#include <cmath>

namespace frond {
namespace {

constexpr int64_t kBlock = 4096;

}  // namespace

template <class T>
UpdateSums UpdateSecondMoment(const T* g, const T* p, int64_t n, const SecondMomentStep& step,
                              T* v) {
  const int64_t blocks = (n + kBlock - 1) / kBlock;
  std::vector<UpdateSums> parts(static_cast<size_t>(blocks));
#pragma omp parallel for schedule(static) if (blocks > 8)
  for (int64_t b = 0; b < blocks; ++b) {
    const T decay = static_cast<T>(step.decay), mix = static_cast<T>(1.0 - step.decay);
    const T scale = static_cast<T>(step.gradient_scale), epsilon = static_cast<T>(step.epsilon);
    UpdateSums sum;
    for (int64_t i = b * kBlock; i < std::min(n, (b + 1) * kBlock); ++i) {
      const T scaled = scale * g[i];
      v[i] = decay * v[i] + mix * (scaled * scaled + epsilon);
      const double u = static_cast<double>(scaled / std::sqrt(v[i]));
      sum.update += u * u;
      sum.param += static_cast<double>(p[i]) * static_cast<double>(p[i]);
    }
    parts[static_cast<size_t>(b)] = sum;
  }
  return JoinSums(parts);
}

template <class T>
void ApplyUnfactored(const T* g, const T* v, int64_t n, double scale, double keep, T* p) {
  const T s = static_cast<T>(scale), kept = static_cast<T>(keep);
#pragma omp parallel for simd schedule(static) if (n > 8 * kBlock)
  for (int64_t i = 0; i < n; ++i) p[i] = kept * p[i] - s * (g[i] / std::sqrt(v[i]));
}

template UpdateSums UpdateSecondMoment(const float*, const float*, int64_t, const SecondMomentStep&,
                                       float*);
template UpdateSums UpdateSecondMoment(const double*, const double*, int64_t,
                                       const SecondMomentStep&, double*);
template void ApplyUnfactored(const float*, const float*, int64_t, double, double, float*);
template void ApplyUnfactored(const double*, const double*, int64_t, double, double, double*);

}  // namespace frond
