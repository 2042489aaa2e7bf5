// The vector kernels for processors with AVX-512 (x86-64-v4).
#include <immintrin.h>

#include <cstdint>

#include "core/ops/cpu/vector_kernels.h"

namespace frond::cpu::avx512 {
namespace {

inline constexpr int kVectorBytes = 64;
inline constexpr int kPanelVectors = 4;
typedef uint16_t U16Vec __attribute__((vector_size(kVectorBytes / 2)));
typedef uint32_t U32Vec __attribute__((vector_size(kVectorBytes)));
typedef uint64_t U64Vec __attribute__((vector_size(kVectorBytes)));
inline U64Vec MulWide(U64Vec a, U64Vec b) {
  // All forms here are masked, since GCC 12 warns of its own header at the plain ones.
  return (U64Vec)_mm512_maskz_mul_epu32(0xFF, (__m512i)a, (__m512i)b);
}
inline U32Vec Widen(U16Vec x) { return (U32Vec)_mm512_maskz_cvtepu16_epi32(0xFFFF, (__m256i)x); }
inline U16Vec Narrow(U32Vec x) { return (U16Vec)_mm512_maskz_cvtepi32_epi16(0xFFFF, (__m512i)x); }

#include "core/ops/cpu/vector.inc"
// Made of vector.inc.
#include "core/ops/cpu/attention.inc"
#include "core/ops/cpu/dropout.inc"
#include "core/ops/cpu/gated_gelu.inc"
#include "core/ops/cpu/rms_norm.inc"

bool RunsHere() { return __builtin_cpu_supports("x86-64-v4"); }

#include "core/ops/cpu/kernel_table.inc"

}  // namespace

const VectorKernels& Kernels() {
  static constexpr VectorKernels kKernels = MakeTable("avx512");
  return kKernels;
}

}  // namespace frond::cpu::avx512
