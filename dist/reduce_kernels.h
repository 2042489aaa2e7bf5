// The arithmetic of reductions: operands are folded in the order in which they are given, element
// by element, so the result is the same bits wherever and however often it is computed.
#pragma once

#include <cstdint>
#include <span>

#include "core/tensor/dtype.h"
#include "dist/communicator.h"

namespace frond {

// out[i] = sources[0][i] op sources[1][i] op ... for i < count. `out` may be one of the sources.
// bf16 is added in f32 and rounded once. `parallel` allows OpenMP threads; the bits do not depend
// on it.
void FoldRanks(Reduce op, DType dtype, std::span<const void* const> sources, int64_t count,
               void* out, bool parallel);

}  // namespace frond
