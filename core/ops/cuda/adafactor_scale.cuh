// What Adafactor's updates are multiplied by, made on the device from the sums over a parameter: no
// update waits for the host.
#pragma once

#include "core/ops/adafactor.h"
#include "core/ops/cuda/block_sum.cuh"

namespace frond::cuda {

// The part of an AdafactorStep that the factor depends on.
struct ScaleRule {
  double learning_rate, epsilon_parameter, clipping_threshold, elements;
  bool multiply_by_parameter_scale;

  ScaleRule(const AdafactorStep& step, int64_t elements)
      : learning_rate(step.learning_rate),
        epsilon_parameter(step.epsilon_parameter),
        clipping_threshold(step.clipping_threshold),
        elements(static_cast<double>(elements)),
        multiply_by_parameter_scale(step.multiply_by_parameter_scale) {}

  __device__ __forceinline__ double Of(double update_squares, double param_squares) const {
    double scale = learning_rate;
    if (multiply_by_parameter_scale) {
      scale *= fmax(sqrt(param_squares / elements), epsilon_parameter);
    }
    if (clipping_threshold > 0) {
      scale /= fmax(1.0, sqrt(update_squares / elements) / clipping_threshold);
    }
    return scale;
  }
};

// Partial sums of the squares of the update and of the parameter, one pair a block.
struct SquareParts {
  double* update;
  double* param;
  int64_t count;
};

inline constexpr int kScaleThreads = 1024;

// One block: *scale from all parts.
static __global__ void ScaleKernel(ScaleRule rule, SquareParts parts, double* scale) {
  double update = 0, param = 0;
  for (int64_t i = threadIdx.x; i < parts.count; i += kScaleThreads) {
    update += parts.update[i];
    param += parts.param[i];
  }
  update = BlockSum<kScaleThreads>(update);
  param = BlockSum<kScaleThreads>(param);
  if (threadIdx.x == 0) *scale = rule.Of(update, param);
}

inline void LaunchScale(Context& ctx, const ScaleRule& rule, const SquareParts& parts,
                        double* scale) {
  Launch(ctx, {.blocks = dim3(1), .threads = dim3(kScaleThreads)}, ScaleKernel, rule, parts, scale);
}

}  // namespace frond::cuda
