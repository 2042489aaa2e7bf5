// Master weights inside kernels: four neighbouring ones as floats and back, in any format.
#pragma once

#include "core/ops/cuda/vectors.cuh"
#include "core/ops/master.h"
#include "core/tensor/float_halves.h"

namespace frond::cuda {

__device__ __forceinline__ uint32_t PackHalves(uint32_t low, uint32_t high) {
  return (low & 0xFFFFu) | (high << 16);
}

// The float of x's high half.
__device__ __forceinline__ float RoundedWeight(float x) {
  return __uint_as_float(static_cast<uint32_t>(HighHalf(__float_as_uint(x))) << 16);
}

// Each format loads and stores one element at i, or four from i on, a multiple of four, where the
// pointers are aligned for four.
struct WholeMaster {
  float* value;

  bool IsAligned() const { return IsAlignedForFour(value); }
  __device__ __forceinline__ float Load(int64_t i) const { return value[i]; }
  __device__ __forceinline__ void Store(float x, int64_t i) const { value[i] = x; }
  __device__ __forceinline__ float4 LoadFour(int64_t i) const { return cuda::LoadFour(value + i); }
  __device__ __forceinline__ void StoreFour(float4 x, int64_t i) const {
    cuda::StoreFour(x, value + i);
  }
};

struct SplitMaster {
  uint16_t* high;
  int16_t* low;

  bool IsAligned() const {
    return reinterpret_cast<uintptr_t>(high) % 8 == 0 && reinterpret_cast<uintptr_t>(low) % 8 == 0;
  }
  __device__ __forceinline__ float Load(int64_t i) const {
    return __uint_as_float(JoinHalves(high[i], low[i]));
  }
  __device__ __forceinline__ void Store(float x, int64_t i) const {
    const uint32_t bits = __float_as_uint(x);
    high[i] = HighHalf(bits);
    low[i] = LowHalf(bits);
  }
  __device__ __forceinline__ float4 LoadFour(int64_t i) const {
    const uint2 h = *reinterpret_cast<const uint2*>(high + i);
    const uint2 l = *reinterpret_cast<const uint2*>(low + i);
    return make_float4(Join(h.x, l.x), Join(h.x >> 16, l.x >> 16), Join(h.y, l.y),
                       Join(h.y >> 16, l.y >> 16));
  }
  __device__ __forceinline__ void StoreFour(float4 x, int64_t i) const {
    const uint32_t b[4] = {__float_as_uint(x.x), __float_as_uint(x.y), __float_as_uint(x.z),
                           __float_as_uint(x.w)};
    *reinterpret_cast<uint2*>(high + i) = make_uint2(PackHalves(HighHalf(b[0]), HighHalf(b[1])),
                                                     PackHalves(HighHalf(b[2]), HighHalf(b[3])));
    *reinterpret_cast<uint2*>(low + i) = make_uint2(PackHalves(b[0], b[1]), PackHalves(b[2], b[3]));
  }

 private:
  // Of the low 16 bits of each.
  static __device__ __forceinline__ float Join(uint32_t h, uint32_t l) {
    return __uint_as_float(
        JoinHalves(static_cast<uint16_t>(h & 0xFFFFu), static_cast<int16_t>(l & 0xFFFFu)));
  }
};

// bf16 alone; stores round stochastically with the bits of the element's number.
struct StochasticMaster {
  BFloat16* value;
  uint64_t key;
  ElementNumbers numbers;

  // The four of a store draw from one call: their numbers begin at a multiple of four.
  bool IsAligned() const {
    const bool rows_are = numbers.cols % 4 == 0 && numbers.whole_cols % 4 == 0;
    return IsAlignedForFour(value) && numbers.first % 4 == 0 &&
           (rows_are || numbers.AreContiguous());
  }
  __device__ __forceinline__ float Load(int64_t i) const { return ToFloat(value[i]); }
  __device__ __forceinline__ void Store(float x, int64_t i) const {
    const int64_t element = NumberOf(i);
    const auto bits = RoundingBits(key, static_cast<uint64_t>(element / 8));
    value[i].bits =
        StochasticHalf(__float_as_uint(x), RoundingBitsOf(bits, static_cast<int>(element % 8)));
  }
  __device__ __forceinline__ float4 LoadFour(int64_t i) const { return cuda::LoadFour(value + i); }
  __device__ __forceinline__ void StoreFour(float4 x, int64_t i) const {
    const int64_t element = NumberOf(i);
    const auto bits = RoundingBits(key, static_cast<uint64_t>(element / 8));
    const bool upper = element % 8 != 0;
    const uint32_t r0 = upper ? bits[2] : bits[0], r1 = upper ? bits[3] : bits[1];
    *reinterpret_cast<uint2*>(value + i) = make_uint2(Pair(x.x, x.y, r0), Pair(x.z, x.w, r1));
  }

 private:
  __device__ __forceinline__ int64_t NumberOf(int64_t i) const {
    if (numbers.cols == numbers.whole_cols) return numbers.first + i;
    return numbers.first + i / numbers.cols * numbers.whole_cols + i % numbers.cols;
  }
  static __device__ __forceinline__ uint32_t Pair(float a, float b, uint32_t random) {
    return PackHalves(StochasticHalf(__float_as_uint(a), random & 0xFFFFu),
                      StochasticHalf(__float_as_uint(b), random >> 16));
  }
};

// Calls `function` with the master in its format; `key` and `numbers` are for the one that draws.
template <class Function>
void VisitMaster(const MasterView& master, uint64_t key, const ElementNumbers& numbers,
                 Function&& function) {
  if (master.is_split()) {
    return function(SplitMaster{reinterpret_cast<uint16_t*>(master.value.As<BFloat16>()),
                                master.low.As<int16_t>()});
  }
  if (master.value.dtype == DType::kBF16) {
    return function(StochasticMaster{master.value.As<BFloat16>(), key, numbers});
  }
  function(WholeMaster{master.value.As<float>()});
}

}  // namespace frond::cuda
