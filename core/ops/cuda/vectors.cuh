// Four or eight neighbouring elements at a time, as floats: memory-bound kernels reach the device's
// bandwidth with 8 to 16 bytes a thread and load.
#pragma once

#include "core/ops/cuda/launch.cuh"

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

}  // namespace frond::cuda
