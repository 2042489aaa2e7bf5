#include "optim/adamw_kernels.h"

#include <cmath>

namespace frond {

template <class T>
void ApplyAdamW(const T* g, int64_t n, const AdamWStep& step, T* m, T* v, T* p) {
  const T beta1 = static_cast<T>(step.beta1), mix1 = static_cast<T>(1.0 - step.beta1);
  const T beta2 = static_cast<T>(step.beta2), mix2 = static_cast<T>(1.0 - step.beta2);
  const T scale = static_cast<T>(step.gradient_scale), keep = static_cast<T>(step.keep);
  const T size = static_cast<T>(step.step_size), unbias = static_cast<T>(step.root_unbias);
  const T epsilon = static_cast<T>(step.epsilon);
#pragma omp parallel for simd schedule(static) if (n > (1 << 15))
  for (int64_t i = 0; i < n; ++i) {
    const T scaled = scale * g[i];
    m[i] = beta1 * m[i] + mix1 * scaled;
    v[i] = beta2 * v[i] + mix2 * scaled * scaled;
    p[i] = keep * p[i] - size * m[i] / (std::sqrt(v[i]) * unbias + epsilon);
  }
}

template void ApplyAdamW(const float*, int64_t, const AdamWStep&, float*, float*, float*);
template void ApplyAdamW(const double*, int64_t, const AdamWStep&, double*, double*, double*);

}  // namespace frond
