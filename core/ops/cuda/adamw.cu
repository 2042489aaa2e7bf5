#include "core/ops/cuda/adamw.h"
#include "core/ops/cuda/masters.cuh"

namespace frond::cuda {
namespace {

// AdamWStep in the numbers that kernels compute with.
struct Factors {
  float beta1, mix1, beta2, mix2, scale, size, unbias, epsilon, keep;

  explicit Factors(const AdamWStep& step)
      : beta1(static_cast<float>(step.beta1)),
        mix1(static_cast<float>(1.0 - step.beta1)),
        beta2(static_cast<float>(step.beta2)),
        mix2(static_cast<float>(1.0 - step.beta2)),
        scale(static_cast<float>(step.gradient_scale)),
        size(static_cast<float>(step.step_size)),
        unbias(static_cast<float>(step.root_unbias)),
        epsilon(static_cast<float>(step.epsilon)),
        keep(static_cast<float>(step.keep)) {}
};

__device__ __forceinline__ void UpdateOne(const Factors& f, float g, float& m, float& v, float& p) {
  const float scaled = f.scale * g;
  m = f.beta1 * m + f.mix1 * scaled;
  v = f.beta2 * v + f.mix2 * scaled * scaled;
  p = f.keep * p - f.size * m / (sqrtf(v) * f.unbias + f.epsilon);
}

template <class Grad, class Master>
__global__ void AdamWKernel(Factors f, const Grad* g, Master p, float* m, float* v, int64_t fours,
                            int64_t n) {
  for (int64_t i = FirstItem(); i < fours; i += ItemStride()) {
    const float4 gradient = LoadFour(g + 4 * i);
    float4 mean = LoadFour(m + 4 * i), moment = LoadFour(v + 4 * i), weight = p.LoadFour(4 * i);
    UpdateOne(f, gradient.x, mean.x, moment.x, weight.x);
    UpdateOne(f, gradient.y, mean.y, moment.y, weight.y);
    UpdateOne(f, gradient.z, mean.z, moment.z, weight.z);
    UpdateOne(f, gradient.w, mean.w, moment.w, weight.w);
    StoreFour(mean, m + 4 * i);
    StoreFour(moment, v + 4 * i);
    p.StoreFour(weight, 4 * i);
  }
  for (int64_t i = 4 * fours + FirstItem(); i < n; i += ItemStride()) {
    float weight = p.Load(i);
    UpdateOne(f, ToFloat(g[i]), m[i], v[i], weight);
    p.Store(weight, i);
  }
}

}  // namespace

void AdamWUpdate(Context& ctx, ConstView grad, const AdamWStep& step, View m, View v,
                 const MasterView& master) {
  const int64_t n = grad.num_elements();
  VisitGpuType(grad.dtype, [&](auto element) {
    using Grad = decltype(element);
    VisitMaster(master, step.rounding_key, step.numbers, [&](auto p) {
      const Grad* g = grad.As<Grad>();
      const bool aligned = IsAlignedForFour(g) && p.IsAligned() &&
                           IsAlignedForFour(m.As<float>()) && IsAlignedForFour(v.As<float>());
      Launch(ctx, GridFor(ctx, aligned ? DivideUp(n, 4) : n), AdamWKernel<Grad, decltype(p)>,
             Factors(step), g, p, m.As<float>(), v.As<float>(), aligned ? n / 4 : 0, n);
    });
  });
}

}  // namespace frond::cuda
