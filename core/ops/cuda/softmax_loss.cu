// A block a row, two passes: the maximum and the sum of the exponentials together (Milakov and
// Gimelshein, "Online normalizer calculation for softmax", 2018); then the gradient, from the row's
// end backwards, which finds in the second-level cache what the first pass read last. Where the
// vocabulary is split, each pass is a kernel, and all parts' statistics come in between.
#include <cmath>
#include <type_traits>

#include "core/ops/cuda/softmax_loss.h"
#include "core/ops/cuda/vectors.cuh"

namespace frond::cuda {
namespace {

constexpr int kMaxThreads = 512;  // two blocks on a multiprocessor: one reads while one sums up
constexpr int kAtATime = 16;      // logits that a thread loads together

// A row's `vectors` of kWidth logits, dealt to the block's threads in rounds of kAtATime a thread.
template <int kWidth>
struct Rounds {
  static constexpr int kLoads = kAtATime / kWidth;
  int vectors;
  __device__ __forceinline__ int count() const {
    const int round = static_cast<int>(blockDim.x) * kLoads;
    return (vectors + round - 1) / round;
  }
  __device__ __forceinline__ int Vector(int round, int load) const {
    return (round * kLoads + load) * static_cast<int>(blockDim.x) + static_cast<int>(threadIdx.x);
  }
  // This thread's logits of a round; minus infinity beyond the row.
  __device__ __forceinline__ void Load(const float* row, int round,
                                       Floats<kWidth> (&x)[kLoads]) const {
#pragma unroll
    for (int load = 0; load < kLoads; ++load) {
      const int vector = Vector(round, load);
      if (vector < vectors) {
        x[load] = LoadFloats<kWidth>(row + int64_t{vector} * kWidth);
      } else {
        for (float& logit : x[load].at) logit = -INFINITY;
      }
    }
  }
};

// Of some logits: the largest, and the sum of 2^(exponent (logit - maximum)).
struct Partition {
  float maximum = -3.0e38f;  // finite: differences are never NaN where logits are finite
  float sum = 0;
};
__device__ __forceinline__ Partition Join(Partition a, Partition b, float exponent) {
  const float maximum = fmaxf(a.maximum, b.maximum);
  return {maximum, a.sum * exp2f(exponent * (a.maximum - maximum)) +
                       b.sum * exp2f(exponent * (b.maximum - maximum))};
}
__device__ __forceinline__ Partition JoinWarp(Partition x, float exponent) {
  for (int offset = 16; offset > 0; offset /= 2) {
    const Partition other = {__shfl_xor_sync(0xFFFFFFFFu, x.maximum, offset),
                             __shfl_xor_sync(0xFFFFFFFFu, x.sum, offset)};
    x = Join(x, other, exponent);
  }
  return x;
}

// The first warp gets the block's.
__device__ __forceinline__ Partition JoinBlock(Partition x, float exponent) {
  __shared__ Partition warps[kMaxThreads / 32];
  x = JoinWarp(x, exponent);
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  if (lane == 0) warps[warp] = x;
  __syncthreads();
  if (warp > 0) return {};
  return JoinWarp(lane < static_cast<int>(blockDim.x) / 32 ? warps[lane] : Partition{}, exponent);
}

template <int kWidth>
__device__ __forceinline__ Partition PartitionOf(const float* row, Rounds<kWidth> rounds,
                                                 float exponent) {
  Partition found;
  for (int round = 0; round < rounds.count(); ++round) {
    Floats<kWidth> x[Rounds<kWidth>::kLoads];
    rounds.Load(row, round, x);
    float maximum = found.maximum;
    for (const Floats<kWidth>& vector : x) {
      for (const float logit : vector.at) maximum = fmaxf(maximum, logit);
    }
    float sum = found.sum * exp2f(exponent * (found.maximum - maximum));
    for (const Floats<kWidth>& vector : x) {
      for (const float logit : vector.at) sum += exp2f(exponent * (logit - maximum));
    }
    found = {maximum, sum};
  }
  return found;
}

// The operands in device memory.
struct LossRows {
  const float* logits;
  const int32_t* targets;
  const double* weights;
  double scale, z_loss;
  float exponent;  // scale / ln 2
  int vocabulary;
  float *nll, *log_z;
};

// What a row's gradient is made of: factor 2^(exponent (logit - maximum)), but at the target.
struct RowGradient {
  float maximum, factor, at_target;
};

// What decides a row's results: its partition and its target's logit. In f64: it is done once a
// row, and the loss of a sure token is the difference of nearly equal numbers.
struct WholeRow {
  float maximum;
  double sum, target_logit;
};

__device__ RowGradient FinishRow(const LossRows& rows, WholeRow whole) {
  const int64_t row = blockIdx.x;
  const double log_sum = log(whole.sum);
  const double nll = rows.scale * (whole.maximum - whole.target_logit) + log_sum;
  const double log_z = rows.scale * whole.maximum + log_sum;
  rows.nll[row] = static_cast<float>(nll);
  rows.log_z[row] = static_cast<float>(log_z);
  const double weight = rows.weights[row] * rows.scale, slope = 2 * rows.z_loss * log_z;
  if (weight == 0) return {0, 0, 0};
  return {.maximum = whole.maximum,
          .factor = static_cast<float>(weight * (1 + slope) / whole.sum),
          .at_target = static_cast<float>(weight * (expm1(-nll) + slope * exp(-nll)))};
}

template <int kWidth, class G>
__device__ __forceinline__ void WriteGradient(const float* row, Rounds<kWidth> rounds,
                                              float exponent, RowGradient found, G* gradient) {
  for (int round = rounds.count() - 1; round >= 0; --round) {
    Floats<kWidth> x[Rounds<kWidth>::kLoads];
    // A token that is out has a gradient of 0 whatever its logits are.
    if (found.factor != 0) rounds.Load(row, round, x);
#pragma unroll
    for (int load = 0; load < Rounds<kWidth>::kLoads; ++load) {
      const int vector = rounds.Vector(round, load);
      if (vector >= rounds.vectors) continue;
      if (found.factor != 0) {
        for (float& logit : x[load].at) {
          logit = found.factor * exp2f(exponent * (logit - found.maximum));
        }
      }
      StoreFloats(x[load], gradient + int64_t{vector} * kWidth);
    }
  }
}

// `gradient` [R, V] may be the logits, or null.
template <int kWidth, class G>
__global__ void __launch_bounds__(kMaxThreads, 2) SoftmaxLossKernel(LossRows rows, G* gradient) {
  __shared__ RowGradient shared;
  const int64_t begin = int64_t{blockIdx.x} * rows.vocabulary;
  const Rounds<kWidth> rounds = {rows.vocabulary / kWidth};
  const Partition partition =
      JoinBlock(PartitionOf(rows.logits + begin, rounds, rows.exponent), rows.exponent);
  if (threadIdx.x == 0) {
    const float target_logit = rows.logits[begin + rows.targets[blockIdx.x]];
    shared = FinishRow(rows, {partition.maximum, partition.sum, target_logit});
  }
  if (gradient == nullptr) return;
  __syncthreads();
  WriteGradient(rows.logits + begin, rounds, rows.exponent, shared, gradient + begin);
  __syncthreads();
  if (threadIdx.x > 0) return;
  gradient[begin + rows.targets[blockIdx.x]] = FromFloat<G>(shared.at_target);
}

// own [R].
template <int kWidth>
__global__ void __launch_bounds__(kMaxThreads, 2)
    PartStatisticsKernel(LossRows rows, SoftmaxStatistics<float>* own) {
  const float* row = rows.logits + int64_t{blockIdx.x} * rows.vocabulary;
  const Rounds<kWidth> rounds = {rows.vocabulary / kWidth};
  const Partition partition = JoinBlock(PartitionOf(row, rounds, rows.exponent), rows.exponent);
  if (threadIdx.x > 0) return;
  const int32_t target = rows.targets[blockIdx.x];
  own[blockIdx.x] = {.maximum = partition.maximum,
                     .sum = partition.sum,
                     .target_logit = target < 0 ? 0.0f : row[target]};
}

// The statistics [parts * R] of all parts.
struct AllParts {
  const SoftmaxStatistics<float>* statistics;
  int parts;
};

__device__ WholeRow JoinParts(const AllParts& all, double scale) {
  const SoftmaxStatistics<float>* row = all.statistics + blockIdx.x;
  WholeRow whole = {.maximum = row->maximum, .sum = 0, .target_logit = 0};
  for (int p = 1; p < all.parts; ++p) {
    whole.maximum = fmaxf(whole.maximum, row[int64_t{p} * gridDim.x].maximum);
  }
  for (int p = 0; p < all.parts; ++p) {
    const SoftmaxStatistics<float> part = row[int64_t{p} * gridDim.x];
    const double below = static_cast<double>(part.maximum) - whole.maximum;
    whole.sum += part.sum * exp(scale * below);
    whole.target_logit += part.target_logit;
  }
  return whole;
}

// `gradient` as SoftmaxLossKernel's.
template <int kWidth, class G>
__global__ void __launch_bounds__(kMaxThreads, 2)
    PartLossKernel(LossRows rows, AllParts all, G* gradient) {
  __shared__ RowGradient shared;
  if (threadIdx.x == 0) shared = FinishRow(rows, JoinParts(all, rows.scale));
  if (gradient == nullptr) return;
  __syncthreads();
  const int64_t begin = int64_t{blockIdx.x} * rows.vocabulary;
  const Rounds<kWidth> rounds = {rows.vocabulary / kWidth};
  WriteGradient(rows.logits + begin, rounds, rows.exponent, shared, gradient + begin);
  __syncthreads();
  const int32_t target = rows.targets[blockIdx.x];
  if (threadIdx.x == 0 && target >= 0) gradient[begin + target] = FromFloat<G>(shared.at_target);
}

// A block for each row.
Grid GridOf(View logits) {
  const int64_t threads = std::min<int64_t>(kMaxThreads, DivideUp(logits.dim(1), 32 * 4) * 32);
  return {.blocks = dim3(static_cast<unsigned>(logits.dim(0))),
          .threads = dim3(static_cast<unsigned>(threads))};
}

// Owns what the kernels read beside the logits. Freed in stream order.
class UploadedRows {
 public:
  UploadedRows(Context& ctx, const SoftmaxLossRows& rows)
      : rows_(rows), targets_(ctx, rows.targets), weights_(ctx, rows.weights) {}

  LossRows Of(View logits, View nll, View log_z) const {
    constexpr double kLog2E = 1.4426950408889634;
    CHECK_LE(logits.dim(1), int64_t{1} << 30) << "logits of a row";
    return {.logits = logits.As<float>(),
            .targets = targets_.data(),
            .weights = weights_.data(),
            .scale = rows_.scale,
            .z_loss = rows_.z_loss,
            .exponent = static_cast<float>(rows_.scale * kLog2E),
            .vocabulary = static_cast<int>(logits.dim(1)),
            .nll = static_cast<float*>(nll.data),
            .log_z = static_cast<float*>(log_z.data)};
  }

 private:
  const SoftmaxLossRows& rows_;
  Uploaded<int32_t> targets_;
  Uploaded<double> weights_;
};

// Calls run(width, G*) with the width of loads as a constant and the gradient, which may be null.
// Rows of a multiple of four logits lie at multiples of what four take, in both dtypes.
template <class Run>
void VisitRows(View logits, View dlogits, const Run& run) {
  const bool wide = logits.dim(1) % 4 == 0 && IsAlignedForFour(logits.As<float>()) &&
                    reinterpret_cast<uintptr_t>(dlogits.data) % 16 == 0;
  const DType dtype = dlogits.data == nullptr ? DType::kF32 : dlogits.dtype;
  VisitGpuType(dtype, [&](auto type) {
    auto* gradient = static_cast<decltype(type)*>(dlogits.data);
    if (wide) return run(std::integral_constant<int, 4>{}, gradient);
    run(std::integral_constant<int, 1>{}, gradient);
  });
}

template <class Pointer>
using Pointee = std::remove_pointer_t<Pointer>;

}  // namespace

void SoftmaxLoss(Context& ctx, View logits, const SoftmaxLossRows& rows, View nll, View log_z,
                 View dlogits) {
  if (logits.num_elements() == 0) return;
  const UploadedRows uploaded(ctx, rows);
  VisitRows(logits, dlogits, [&](auto width, auto* gradient) {
    Launch(ctx, GridOf(logits), SoftmaxLossKernel<width(), Pointee<decltype(gradient)>>,
           uploaded.Of(logits, nll, log_z), gradient);
  });
}

void PartStatistics(Context& ctx, View logits, const SoftmaxLossRows& rows, View own) {
  if (logits.num_elements() == 0) return;
  const UploadedRows uploaded(ctx, rows);
  VisitRows(logits, {}, [&](auto width, auto*) {
    Launch(ctx, GridOf(logits), PartStatisticsKernel<width()>, uploaded.Of(logits, {}, {}),
           static_cast<SoftmaxStatistics<float>*>(own.data));
  });
}

void PartLoss(Context& ctx, View logits, const SoftmaxLossRows& rows, ConstView, ConstView all,
              View nll, View log_z, View dlogits) {
  if (logits.num_elements() == 0) return;
  const UploadedRows uploaded(ctx, rows);
  const AllParts parts = {.statistics = static_cast<const SoftmaxStatistics<float>*>(all.data),
                          .parts = static_cast<int>(all.dim(0) / logits.dim(0))};
  VisitRows(logits, dlogits, [&](auto width, auto* gradient) {
    Launch(ctx, GridOf(logits), PartLossKernel<width(), Pointee<decltype(gradient)>>,
           uploaded.Of(logits, nll, log_z), parts, gradient);
  });
}

}  // namespace frond::cuda
