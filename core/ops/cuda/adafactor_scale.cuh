// What Adafactor's updates are multiplied by, made on the device from the sums over a parameter: no
// update waits for the host.
#pragma once

#include "core/ops/adafactor.h"
#include "core/ops/cuda/block_sum.cuh"

namespace frond::cuda {

// The part of an AdafactorStep that an update's factors depend on, and the sums.
struct ScaleRule {
  double learning_rate, epsilon_parameter, clipping_threshold, elements;
  bool multiply_by_parameter_scale;
  float keep;
  const double* squares;  // of the update, of the parameter

  ScaleRule(const AdafactorStep& step, ConstView squares)
      : learning_rate(step.learning_rate),
        epsilon_parameter(step.epsilon_parameter),
        clipping_threshold(step.clipping_threshold),
        elements(static_cast<double>(step.whole_rows * step.whole_cols)),
        multiply_by_parameter_scale(step.multiply_by_parameter_scale),
        keep(static_cast<float>(step.keep)),
        squares(squares.As<double>()) {}

  __device__ __forceinline__ double Scale() const {
    double scale = learning_rate;
    if (multiply_by_parameter_scale) {
      scale *= fmax(sqrt(squares[1] / elements), epsilon_parameter);
    }
    if (clipping_threshold > 0) {
      scale /= fmax(1.0, sqrt(squares[0] / elements) / clipping_threshold);
    }
    return scale;
  }
};

inline constexpr int kJoinThreads = 1024;

// Block b: sums[b] = the sum of parts [b count, (b + 1) count).
static __global__ void JoinPartsKernel(const double* parts, int64_t count, double* sums) {
  const double* mine = parts + blockIdx.x * count;
  double sum = 0;
  for (int64_t i = threadIdx.x; i < count; i += kJoinThreads) sum += mine[i];
  sum = BlockSum<kJoinThreads>(sum);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// sums [n] f64 from `count` parts of each, in a fixed order.
inline void LaunchJoinParts(Context& ctx, const double* parts, int64_t count, View sums) {
  Launch(
      ctx,
      {.blocks = dim3(static_cast<unsigned>(sums.num_elements())), .threads = dim3(kJoinThreads)},
      JoinPartsKernel, parts, count, sums.As<double>());
}

// Partial sums of the squares of the update and of the parameter, one pair a block.
struct SquareParts {
  double* begin;
  int64_t count;

  __device__ __forceinline__ double* update() const { return begin; }
  __device__ __forceinline__ double* param() const { return begin + count; }
};

class SquarePartsMemory {
 public:
  SquarePartsMemory(Context& ctx, int64_t blocks)
      : memory_(ctx, {2 * blocks}, DType::kF64, MemoryKind::kWorkspace),
        parts_{memory_.As<double>(), blocks} {}

  const SquareParts& parts() const { return parts_; }
  // squares [2] = the sums.
  void Join(Context& ctx, View squares) const {
    LaunchJoinParts(ctx, parts_.begin, parts_.count, squares);
  }

 private:
  Tensor memory_;
  SquareParts parts_;
};

}  // namespace frond::cuda
