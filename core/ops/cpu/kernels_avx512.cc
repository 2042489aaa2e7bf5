// The vector kernels for processors with AVX-512 (x86-64-v4).
#include <immintrin.h>

#include <cstdint>

#include "core/ops/cpu/vector_kernels.h"

namespace frond::cpu::avx512 {
namespace {

inline constexpr int kVectorBytes = 64;
inline constexpr int kPanelVectors = 4;
typedef uint64_t U64Vec __attribute__((vector_size(kVectorBytes)));
inline U64Vec MulWide(U64Vec a, U64Vec b) {
  // Masked, since GCC 12 warns of its own header at the plain form.
  return (U64Vec)_mm512_maskz_mul_epu32(0xFF, (__m512i)a, (__m512i)b);
}

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
