// The vector kernels for any processor.
#include <cstdint>

#include "core/ops/cpu/vector_kernels.h"

namespace frond::cpu::generic {
namespace {

inline constexpr int kVectorBytes = 16;
inline constexpr int kPanelVectors = 2;
typedef uint16_t U16Vec __attribute__((vector_size(kVectorBytes / 2)));
typedef uint32_t U32Vec __attribute__((vector_size(kVectorBytes)));
typedef uint64_t U64Vec __attribute__((vector_size(kVectorBytes)));
inline U64Vec MulWide(U64Vec a, U64Vec b) { return (a & 0xFFFFFFFFu) * (b & 0xFFFFFFFFu); }
inline U32Vec Widen(U16Vec x) { return __builtin_convertvector(x, U32Vec); }
inline U16Vec Narrow(U32Vec x) { return __builtin_convertvector(x, U16Vec); }

#include "core/ops/cpu/vector.inc"
// Made of vector.inc.
#include "core/ops/cpu/attention.inc"
#include "core/ops/cpu/dropout.inc"
#include "core/ops/cpu/gated_gelu.inc"
#include "core/ops/cpu/rms_norm.inc"

bool RunsHere() { return true; }

#include "core/ops/cpu/kernel_table.inc"

}  // namespace

const VectorKernels& Kernels() {
  static constexpr VectorKernels kKernels = MakeTable("generic");
  return kKernels;
}

}  // namespace frond::cpu::generic
