// The bias gradient: sums of the scores' gradient by distance, in an order that is the same from
// run to run, without an S x S array.
//
// A warp (or block) adds up the diagonals of its tile and then adds them to its own bins in shared
// memory, one bin a lane. In the end the bins of each bucket, which are neighbours, are summed.
#pragma once

#include "core/ops/cuda/attention_call.cuh"

namespace frond::cuda {

// Bins of distances from -before - kBinMargin to after + kBinMargin: a tile in which the bucket
// varies reaches beyond the saturated distances by less than that.
constexpr int kBinMargin = 96;

__host__ __device__ constexpr int BinsOf(int num_distances) {
  return num_distances == 0 ? 0 : num_distances + 2 * kBinMargin;
}

struct DistanceBins {
  float* bins;  // shared [BinsOf(num_distances)], one set of them per owner
  int before, num_distances;

  __device__ __forceinline__ float& At(int distance) const {
    return bins[distance + before + kBinMargin];
  }
};

// The sum over all elements of a tile whose distances share a bucket: kept per thread, added to the
// first or the last bin in the end.
struct FarSums {
  float before = 0, after = 0;

  // All lanes of the owner's warp.
  __device__ __forceinline__ void AddTo(const DistanceBins& bins) const {
    const float low = WarpSum(before), high = WarpSum(after);
    __syncwarp();
    if (threadIdx.x % 32 == 0) {
      bins.bins[0] += low;
      bins.bins[BinsOf(bins.num_distances) - 1] += high;
    }
    __syncwarp();
  }
};

// parts of this head and item from `owners` sets of bins, after a barrier. All threads of a block.
template <class T, class Out>
__device__ __forceinline__ void SumBuckets(const AttentionCall& call,
                                           const AttentionGradOperands<T, Out>& o,
                                           const float* bins, int owners) {
  const int num_bins = BinsOf(call.num_distances()), lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t items = gridDim.x / static_cast<unsigned>(call.heads);
  for (int b = static_cast<int>(threadIdx.x) / 32; b < o.num_buckets;
       b += static_cast<int>(blockDim.x) / 32) {
    int begin = o.bucket_begin[b] + kBinMargin, end = o.bucket_end[b] + kBinMargin;
    if (begin == end) end = begin = 0;
    if (begin < end && begin == kBinMargin) begin = 0;
    if (begin < end && end == num_bins - kBinMargin) end = num_bins;
    float sum = 0;
    for (int i = begin + lane; i < end; i += 32) {
      for (int owner = 0; owner < owners; ++owner) sum += bins[owner * num_bins + i];
    }
    sum = WarpSum(sum);
    if (lane == 0) {
      o.bias_parts[(int64_t{HeadOfBlock(call)} * o.num_buckets + b) * items + ItemOfBlock(call)] =
          sum;
    }
  }
}

}  // namespace frond::cuda
