#include "core/ops/cpu/adafactor_unfactored.h"

#include <algorithm>
#include <cmath>

namespace frond::cpu {
namespace {

constexpr int64_t kBlock = kMasterRun;

}  // namespace

template <class T>
UpdateSums UpdateSecondMoment(const T* g, const MasterAccess<T>& p, int64_t n,
                              const SecondMomentStep& step, T* v) {
  const int64_t blocks = (n + kBlock - 1) / kBlock;
  std::vector<UpdateSums> parts(static_cast<size_t>(blocks));
#pragma omp parallel for schedule(static) if (blocks > 8)
  for (int64_t b = 0; b < blocks; ++b) {
    const T decay = static_cast<T>(step.decay), mix = static_cast<T>(1.0 - step.decay);
    const T scale = static_cast<T>(step.gradient_scale), epsilon = static_cast<T>(step.epsilon);
    const int64_t begin = b * kBlock, count = std::min(kBlock, n - begin);
    alignas(64) T buffer[kBlock];
    const T* run = p.Load(begin, count, buffer);
    UpdateSums sum;
    for (int64_t i = 0; i < count; ++i) {
      const T scaled = scale * g[begin + i];
      T& moment = v[begin + i];
      moment = decay * moment + mix * (scaled * scaled + epsilon);
      const double u = static_cast<double>(scaled / std::sqrt(moment));
      sum.update += u * u;
      sum.param += static_cast<double>(run[i]) * static_cast<double>(run[i]);
    }
    parts[static_cast<size_t>(b)] = sum;
  }
  return JoinSums(parts);
}

template <class T>
void ApplyUnfactored(const T* g, const T* v, int64_t n, double scale, double keep,
                     const MasterAccess<T>& p) {
  const T s = static_cast<T>(scale), kept = static_cast<T>(keep);
  const int64_t blocks = (n + kBlock - 1) / kBlock;
#pragma omp parallel for schedule(static) if (blocks > 8)
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t begin = b * kBlock, count = std::min(kBlock, n - begin);
    alignas(64) T buffer[kBlock];
    T* run = p.Load(begin, count, buffer);
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) {
      run[i] = kept * run[i] - s * (g[begin + i] / std::sqrt(v[begin + i]));
    }
    p.Store(run, begin, count);
  }
}

template UpdateSums UpdateSecondMoment(const float*, const MasterAccess<float>&, int64_t,
                                       const SecondMomentStep&, float*);
template UpdateSums UpdateSecondMoment(const double*, const MasterAccess<double>&, int64_t,
                                       const SecondMomentStep&, double*);
template void ApplyUnfactored(const float*, const float*, int64_t, double, double,
                              const MasterAccess<float>&);
template void ApplyUnfactored(const double*, const double*, int64_t, double, double,
                              const MasterAccess<double>&);

}  // namespace frond::cpu
