// The instructions and storage classes that CUDA C++ has no portable words for. The emulator of
// tests/gpu/emulator has a file of this name that does the same on a CPU; nothing else in the
// kernels knows of it. Numbers refer to the PTX ISA manual.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace frond::cuda {

// The block's dynamic shared memory, 16-byte aligned.
template <class T>
__device__ __forceinline__ T* DynamicShared() {
  extern __shared__ __align__(16) unsigned char frond_dynamic_shared[];
  return reinterpret_cast<T*>(frond_dynamic_shared);
}

// Copies 16 bytes from global to shared memory behind the thread's back (9.7.9.25, cp.async); zeros
// where `valid` is false. Both addresses are multiples of 16.
__device__ __forceinline__ void CopyAsync16(void* shared, const void* global, bool valid = true) {
  const auto target = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  const int bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(target), "l"(global),
               "r"(bytes));
}
// The same for one value of 4 or 8 bytes, at multiples of its size.
template <class T>
__device__ __forceinline__ void CopyAsyncOne(T* shared, const T* global, bool valid = true) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  const auto target = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  const int bytes = valid ? static_cast<int>(sizeof(T)) : 0;
  asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;\n" ::"r"(target), "l"(global),
               "n"(sizeof(T)), "r"(bytes));
}
// Ends a group of copies; waits until at most kPending of the thread's groups are under way.
__device__ __forceinline__ void CommitCopies() { asm volatile("cp.async.commit_group;\n"); }
template <int kPending>
__device__ __forceinline__ void WaitForCopies() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(kPending));
}

// 2^x in one instruction, within 2 units in the last place; subnormal results are 0 (9.7.3.20).
__device__ __forceinline__ float FastExp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// Loads four 8 x 8 matrices of 16-bit elements (9.7.14.5.15, ldmatrix): lane l names the row l % 8
// of matrix l / 8; register i holds elements (l / 4, 2 (l % 4)) and the next one of matrix i, or of
// its transpose.
__device__ __forceinline__ void LoadMatrices(const void* row, uint32_t (&registers)[4]) {
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
               : "r"(address));
}
__device__ __forceinline__ void LoadMatricesTransposed(const void* row, uint32_t (&registers)[4]) {
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
               : "r"(address));
}

// d += a b on the tensor cores (9.7.14.5.8, mma m16n8k16): a [16, 16] and b [16, 8] in bf16, d [16,
// 8] in f32. With g = lane / 4, p = lane % 4: a's registers hold the pairs (g, 2p), (g + 8, 2p),
// (g, 2p + 8), (g + 8, 2p + 8); b's hold column g at rows (2p, 2p + 1) and (2p + 8, 2p + 9); d is
// (g, 2p), (g, 2p + 1), (g + 8, 2p), (g + 8, 2p + 1).
__device__ __forceinline__ void MultiplyAdd16x8x16(float (&d)[4], const uint32_t (&a)[4],
                                                   uint32_t b0, uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

}  // namespace frond::cuda
