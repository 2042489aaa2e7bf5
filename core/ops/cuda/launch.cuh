// How kernels are launched and how elements are read: shared by all .cu files.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <span>

#include "core/ops/cuda/ptx.cuh"
#include "core/ops/cuda/shared_memory.h"
#include "core/tensor/cuda/runtime.h"
#include "core/tensor/tensor.h"

namespace frond::cuda {

struct Grid {
  dim3 blocks;
  dim3 threads;
  size_t shared_bytes = 0;  // dynamic
};

// Runs `kernel` on the context's stream. A grid without blocks is no work. More than 48 KiB of
// shared memory are asked for here.
template <class... Params, class... Args>
void Launch(Context& ctx, const Grid& grid, void (*kernel)(Params...), Args&&... args) {
  if (grid.blocks.x == 0 || grid.blocks.y == 0 || grid.blocks.z == 0) return;
  if (grid.shared_bytes > 48 * 1024) {
    RaiseSharedMemory(reinterpret_cast<const void*>(kernel), grid.shared_bytes);
  }
  cudaLaunchConfig_t config = {};
  config.gridDim = grid.blocks;
  config.blockDim = grid.threads;
  config.dynamicSmemBytes = grid.shared_bytes;
  config.stream = StreamOf(ctx);
  FROND_CUDA_CHECK(cudaLaunchKernelEx(&config, kernel, static_cast<Params>(args)...));
}

constexpr int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

// A grid for `count` independent items in a grid-stride loop: enough blocks to fill the device.
inline Grid GridFor(Context& ctx, int64_t count, int threads = 256) {
  const int64_t most = int64_t{LimitsOf(ctx).num_multiprocessors} * (2048 / threads) * 4;
  return {.blocks = dim3(static_cast<unsigned>(std::min(DivideUp(count, threads), most))),
          .threads = dim3(static_cast<unsigned>(threads))};
}

// First item of this thread and the step to its next, for GridFor's loops.
__device__ __forceinline__ int64_t FirstItem() {
  return int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
}
__device__ __forceinline__ int64_t ItemStride() { return int64_t{gridDim.x} * blockDim.x; }

__device__ __forceinline__ float ToFloat(float x) { return x; }
__device__ __forceinline__ float ToFloat(BFloat16 x) {
  return __uint_as_float(static_cast<uint32_t>(x.bits) << 16);
}
template <class T>
__device__ __forceinline__ T FromFloat(float x);
template <>
__device__ __forceinline__ float FromFloat<float>(float x) {
  return x;
}
template <>
__device__ __forceinline__ BFloat16 FromFloat<BFloat16>(float x) {
  BFloat16 y;
  y.bits = __bfloat16_as_ushort(__float2bfloat16_rn(x));
  return y;
}

// Sums over the 32 lanes of a warp; every lane gets the result.
template <class T>
__device__ __forceinline__ T WarpSum(T x) {
  for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(0xFFFFFFFFu, x, offset);
  return x;
}

// Calls `function` with a value of the C++ type of f32 or bf16: what GPU ops compute in.
template <class Function>
void VisitGpuType(DType dtype, Function&& function) {
  if (dtype == DType::kF32) return function(float{});
  CHECK(dtype == DType::kBF16) << "GPU ops are in f32 and bf16, not " << DTypeName(dtype);
  function(BFloat16{});
}
// The same with the types of what an op reads and writes: one of these, or f32 to bf16.
template <class Function>
void VisitGpuTypes(DType in, DType out, Function&& function) {
  if (in == DType::kF32 && out == DType::kBF16) return function(float{}, BFloat16{});
  VisitGpuType(in, [&](auto type) { function(type, type); });
}

// Host values in device memory for the kernels of one op, in stream order. Empty spans are null.
template <class T>
class Uploaded {
 public:
  Uploaded(Context& ctx, std::span<const T> values) {
    if (values.empty()) return;
    const auto words = static_cast<int64_t>((values.size_bytes() + 3) / 4);
    storage_ = Tensor(ctx, {words}, DType::kI32, MemoryKind::kWorkspace);
    ctx.memory().CopyFromHost(values.data(), values.size_bytes(), storage_.view().data);
  }
  const T* data() const { return static_cast<const T*>(storage_.view().data); }

 private:
  Tensor storage_;
};

}  // namespace frond::cuda
