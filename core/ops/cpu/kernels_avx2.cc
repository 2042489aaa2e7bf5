// The vector kernels for processors with AVX2 and FMA (x86-64-v3).
#include <immintrin.h>

#include <cstdint>

#include "core/ops/cpu/vector_kernels.h"

namespace frond::cpu::avx2 {
namespace {

inline constexpr int kVectorBytes = 32;
inline constexpr int kPanelVectors = 2;
typedef uint16_t U16Vec __attribute__((vector_size(kVectorBytes / 2)));
typedef uint32_t U32Vec __attribute__((vector_size(kVectorBytes)));
typedef uint64_t U64Vec __attribute__((vector_size(kVectorBytes)));
inline U64Vec MulWide(U64Vec a, U64Vec b) {
  return (U64Vec)_mm256_mul_epu32((__m256i)a, (__m256i)b);
}
inline U32Vec Widen(U16Vec x) { return (U32Vec)_mm256_cvtepu16_epi32((__m128i)x); }
inline U16Vec Narrow(U32Vec x) {
  return (U16Vec)_mm_packus_epi32(_mm256_castsi256_si128((__m256i)x),
                                  _mm256_extracti128_si256((__m256i)x, 1));
}

#include "core/ops/cpu/vector.inc"
// Made of vector.inc.
#include "core/ops/cpu/attention.inc"
#include "core/ops/cpu/dropout.inc"
#include "core/ops/cpu/gated_gelu.inc"
#include "core/ops/cpu/rms_norm.inc"

bool RunsHere() { return __builtin_cpu_supports("x86-64-v3"); }

#include "core/ops/cpu/kernel_table.inc"

}  // namespace

const VectorKernels& Kernels() {
  static constexpr VectorKernels kKernels = MakeTable("avx2");
  return kKernels;
}

}  // namespace frond::cpu::avx2
