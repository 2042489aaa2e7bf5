#include "core/ops/cuda/argmax.h"
#include "core/ops/cuda/launch.cuh"

namespace frond::cuda {
namespace {

constexpr int kThreads = 512;

struct Largest {
  float value;
  int32_t at;
};

// The larger of two, of equal ones the first in the row.
__device__ __forceinline__ Largest Larger(Largest a, Largest b) {
  const bool b_wins = b.value > a.value || (b.value == a.value && b.at < a.at);
  return b_wins ? b : a;
}

__device__ __forceinline__ Largest WarpLargest(Largest x) {
  for (int offset = 16; offset > 0; offset /= 2) {
    const Largest other = {__shfl_xor_sync(0xFFFFFFFFu, x.value, offset),
                           __shfl_xor_sync(0xFFFFFFFFu, x.at, offset)};
    x = Larger(x, other);
  }
  return x;
}

// One block a row: neighbouring threads read neighbouring columns.
__global__ void ArgMaxKernel(const float* x, int64_t cols, int32_t* best) {
  __shared__ float values[kThreads / 32];
  __shared__ int32_t places[kThreads / 32];
  const float* row = x + int64_t{blockIdx.x} * cols;
  const int thread = static_cast<int>(threadIdx.x);
  Largest mine = {-INFINITY, 0};
  for (int64_t c = thread; c < cols; c += kThreads) {
    if (row[c] > mine.value) mine = {row[c], static_cast<int32_t>(c)};
  }
  mine = WarpLargest(mine);
  if (thread % 32 == 0) {
    values[thread / 32] = mine.value;
    places[thread / 32] = mine.at;
  }
  __syncthreads();
  if (thread != 0) return;
  for (int w = 1; w < kThreads / 32; ++w) mine = Larger(mine, {values[w], places[w]});
  best[blockIdx.x] = mine.at;
}

}  // namespace

void ArgMaxRows(Context& ctx, ConstView x, std::span<int32_t> best) {
  const int64_t rows = x.dim(0);
  if (rows == 0) return;
  Tensor on_device(ctx, {rows}, DType::kI32, MemoryKind::kWorkspace);
  Launch(ctx, {.blocks = dim3(static_cast<unsigned>(rows)), .threads = dim3(kThreads)},
         ArgMaxKernel, x.As<float>(), x.dim(1), on_device.As<int32_t>());
  ctx.memory().CopyToHost(on_device.view().data, best.size_bytes(), best.data());
}

}  // namespace frond::cuda
