// Sums over the threads of a block in a fixed order.
#pragma once

#include "core/ops/cuda/launch.cuh"

namespace frond::cuda {

// Every thread gets the sum. Called by all kThreads threads of the block.
template <int kThreads>
__device__ __forceinline__ double BlockSum(double x) {
  __shared__ double partial[kThreads / 32];
  __shared__ double total;
  x = WarpSum(x);
  __syncthreads();  // an earlier call's results have been read
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = x;
  __syncthreads();
  if (threadIdx.x == 0) {
    double sum = 0;
    for (int w = 0; w < kThreads / 32; ++w) sum += partial[w];
    total = sum;
  }
  __syncthreads();
  return total;
}

}  // namespace frond::cuda
