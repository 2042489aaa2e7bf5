#include "core/ops/cpu/adamw.h"

#include <algorithm>
#include <cmath>

#include "core/ops/cpu/master_access.h"

namespace frond::cpu {
namespace {

template <class T>
void Update(const T* g, int64_t n, const AdamWStep& step, T* m, T* v, const MasterAccess<T>& p) {
  const T beta1 = static_cast<T>(step.beta1), mix1 = static_cast<T>(1.0 - step.beta1);
  const T beta2 = static_cast<T>(step.beta2), mix2 = static_cast<T>(1.0 - step.beta2);
  const T scale = static_cast<T>(step.gradient_scale), keep = static_cast<T>(step.keep);
  const T size = static_cast<T>(step.step_size), unbias = static_cast<T>(step.root_unbias);
  const T epsilon = static_cast<T>(step.epsilon);
  const int64_t blocks = (n + kMasterRun - 1) / kMasterRun;
#pragma omp parallel for schedule(static) if (blocks > 8)
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t begin = b * kMasterRun, count = std::min(kMasterRun, n - begin);
    alignas(64) T buffer[kMasterRun];
    T* run = p.Load(begin, count, buffer);
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) {
      const T scaled = scale * g[begin + i];
      T& mean = m[begin + i];
      T& moment = v[begin + i];
      mean = beta1 * mean + mix1 * scaled;
      moment = beta2 * moment + mix2 * scaled * scaled;
      run[i] = keep * run[i] - size * mean / (std::sqrt(moment) * unbias + epsilon);
    }
    p.Store(run, begin, count);
  }
}

}  // namespace

void AdamWUpdate(Context&, ConstView grad, const AdamWStep& step, View m, View v,
                 const MasterView& master) {
  const int64_t n = grad.num_elements();
  if (grad.dtype == DType::kF64) {
    return Update(grad.As<double>(), n, step, m.As<double>(), v.As<double>(),
                  MasterAccess<double>(master, step.rounding_key, step.numbers));
  }
  Update(grad.As<float>(), n, step, m.As<float>(), v.As<float>(),
         MasterAccess<float>(master, step.rounding_key, step.numbers));
}

}  // namespace frond::cpu
