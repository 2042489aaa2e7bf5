// Four or eight neighbouring elements at a time, as floats: memory-bound kernels reach the device's
// bandwidth with 8 to 16 bytes a thread and load.
#pragma once

#include "core/ops/cuda/launch.cuh"
#include "core/tensor/columns.h"

namespace frond::cuda {

// Whether four elements of T can be loaded at once from there.
template <class T>
bool IsAlignedForFour(const T* pointer) {
  return reinterpret_cast<uintptr_t>(pointer) % (4 * sizeof(T)) == 0;
}

__device__ __forceinline__ float4 LoadFour(const float* p) {
  return *reinterpret_cast<const float4*>(p);
}
__device__ __forceinline__ float4 LoadFour(const BFloat16* p) {
  const uint2 bits = *reinterpret_cast<const uint2*>(p);
  return make_float4(__uint_as_float(bits.x << 16), __uint_as_float(bits.x & 0xFFFF0000u),
                     __uint_as_float(bits.y << 16), __uint_as_float(bits.y & 0xFFFF0000u));
}

// Two floats rounded to bf16, the first in the low half.
__device__ __forceinline__ uint32_t PackBFloat16(float low, float high) {
  return uint32_t{FromFloat<BFloat16>(low).bits} | (uint32_t{FromFloat<BFloat16>(high).bits} << 16);
}

__device__ __forceinline__ void StoreFour(float4 x, float* p) { *reinterpret_cast<float4*>(p) = x; }
__device__ __forceinline__ void StoreFour(float4 x, BFloat16* p) {
  *reinterpret_cast<uint2*>(p) = make_uint2(PackBFloat16(x.x, x.y), PackBFloat16(x.z, x.w));
}

// kWidth neighbouring elements (1, 4 or 8) as floats. Where they are more than one, their address
// is a multiple of their size, or of 16.
template <int kWidth>
struct Floats {
  float at[kWidth] = {};
};

template <int kWidth, class T>
__device__ __forceinline__ Floats<kWidth> LoadFloats(const T* p) {
  static_assert(kWidth == 1 || kWidth == 4 || kWidth == 8);
  Floats<kWidth> x;
  if constexpr (kWidth == 1) {
    x.at[0] = ToFloat(*p);
  } else if constexpr (kWidth == 8 && sizeof(T) == 2) {
    const uint4 bits = *reinterpret_cast<const uint4*>(p);
    const uint32_t words[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      x.at[2 * i] = __uint_as_float(words[i] << 16);
      x.at[2 * i + 1] = __uint_as_float(words[i] & 0xFFFF0000u);
    }
  } else {
#pragma unroll
    for (int i = 0; i < kWidth; i += 4) {
      const float4 four = LoadFour(p + i);
      x.at[i] = four.x, x.at[i + 1] = four.y, x.at[i + 2] = four.z, x.at[i + 3] = four.w;
    }
  }
  return x;
}

template <int kWidth, class T>
__device__ __forceinline__ void StoreFloats(const Floats<kWidth>& x, T* p) {
  if constexpr (kWidth == 1) {
    *p = FromFloat<T>(x.at[0]);
  } else if constexpr (kWidth == 8 && sizeof(T) == 2) {
    *reinterpret_cast<uint4*>(p) =
        make_uint4(PackBFloat16(x.at[0], x.at[1]), PackBFloat16(x.at[2], x.at[3]),
                   PackBFloat16(x.at[4], x.at[5]), PackBFloat16(x.at[6], x.at[7]));
  } else {
#pragma unroll
    for (int i = 0; i < kWidth; i += 4) {
      StoreFour(make_float4(x.at[i], x.at[i + 1], x.at[i + 2], x.at[i + 3]), p + i);
    }
  }
}

// Whether every row can be read eight elements at a time.
inline bool HasRowsOfEight(ConstColumns x) {
  return x.columns % 8 == 0 && x.pitch % 8 == 0 && reinterpret_cast<uintptr_t>(x.data) % 16 == 0;
}

}  // namespace frond::cuda
