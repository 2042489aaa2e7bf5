// The update of vectors and small tables: their second moments and the sums of squares in one pass,
// the update in another.
#include "core/ops/cuda/adafactor.h"
#include "core/ops/cuda/adafactor_scale.cuh"
#include "core/ops/cuda/masters.cuh"

namespace frond::cuda {
namespace {

constexpr int kThreads = 256;

// By the number of elements alone, so that sums have one order whatever the device.
int64_t NumBlocks(int64_t n) { return std::min<int64_t>(DivideUp(n, 4 * kThreads), 2048); }

struct MomentRule {
  float decay, mix, scale, epsilon;
};

template <class Grad, class Master>
__global__ void __launch_bounds__(kThreads)
    SecondMomentKernel(MomentRule rule, const Grad* g, Master p, int64_t n, float* v,
                       SquareParts parts) {
  double update = 0, param = 0;
  for (int64_t i = FirstItem(); i < n; i += ItemStride()) {
    const float scaled = rule.scale * ToFloat(g[i]);
    const float moment = rule.decay * v[i] + rule.mix * (scaled * scaled + rule.epsilon);
    v[i] = moment;
    const double u = scaled / sqrtf(moment), weight = p.Load(i);
    update += u * u;
    param += weight * weight;
  }
  update = BlockSum<kThreads>(update);
  param = BlockSum<kThreads>(param);
  if (threadIdx.x == 0) {
    parts.update()[blockIdx.x] = update;
    parts.param()[blockIdx.x] = param;
  }
}

template <class Grad, class Master>
__global__ void __launch_bounds__(kThreads)
    ApplyUnfactoredKernel(double gradient_scale, ScaleRule rule, const Grad* g, const float* v,
                          int64_t n, Master p) {
  const auto factor = static_cast<float>(rule.Scale() * gradient_scale);
  for (int64_t i = FirstItem(); i < n; i += ItemStride()) {
    p.Store(rule.keep * p.Load(i) - factor * (ToFloat(g[i]) / sqrtf(v[i])), i);
  }
}

Grid GridOf(int64_t n) {
  return {.blocks = dim3(static_cast<unsigned>(NumBlocks(n))), .threads = dim3(kThreads)};
}

}  // namespace

void AdafactorUnfactoredSquares(Context& ctx, ConstView grad, const AdafactorStep& step, View v,
                                const MasterView& master, View squares) {
  const int64_t n = grad.num_elements();
  const SquarePartsMemory memory(ctx, NumBlocks(n));
  const MomentRule rule = {static_cast<float>(step.decay), static_cast<float>(1.0 - step.decay),
                           static_cast<float>(step.gradient_scale),
                           static_cast<float>(step.epsilon)};
  VisitGpuType(grad.dtype, [&](auto element) {
    using Grad = decltype(element);
    VisitMaster(master, step.rounding_key, step.numbers, [&](auto p) {
      using Master = decltype(p);
      Launch(ctx, GridOf(n), SecondMomentKernel<Grad, Master>, rule, grad.As<Grad>(), p, n,
             v.As<float>(), memory.parts());
    });
  });
  memory.Join(ctx, squares);
}

void AdafactorApplyUnfactored(Context& ctx, ConstView grad, const AdafactorStep& step, ConstView v,
                              ConstView squares, const MasterView& master) {
  const int64_t n = grad.num_elements();
  VisitGpuType(grad.dtype, [&](auto element) {
    using Grad = decltype(element);
    VisitMaster(master, step.rounding_key, step.numbers, [&](auto p) {
      using Master = decltype(p);
      Launch(ctx, GridOf(n), ApplyUnfactoredKernel<Grad, Master>, step.gradient_scale,
             ScaleRule(step, squares), grad.As<Grad>(), v.As<float>(), n, p);
    });
  });
}

}  // namespace frond::cuda
