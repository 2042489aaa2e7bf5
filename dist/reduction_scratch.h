// The scratch memory of MPI's reductions, for the group that takes it and for plans.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/tensor/tensor.h"

namespace frond {

// Elements of a reduction on their way at once: bounds the scratch memory.
inline constexpr int64_t kReduceElements = int64_t{1} << 20;
// Operands up to so many bytes from all ranks together ride with the call: latency rules.
inline constexpr int64_t kSmallBytes = int64_t{1} << 15;

// Bytes of an operand that ride with the call; aligned for any dtype.
inline int64_t RidingBytes(int ranks) { return kSmallBytes / ranks / 8 * 8; }

// The largest slice of an all-reduce of n elements; slices differ by one element at most.
inline int64_t AllReduceSlice(int64_t n, int ranks) {
  return (std::min(n, kReduceElements) + ranks - 1) / ranks;
}

// The others' slices of an all-reduce of `inout`, where it does not ride with the call.
inline Tensor AllReduceScratch(Context& ctx, ConstView inout, int ranks) {
  const int64_t slice = AllReduceSlice(inout.num_elements(), ranks);
  return Tensor(ctx, {slice * (ranks - 1)}, inout.dtype, MemoryKind::kWorkspace);
}

// The others' parts of a reduce-scatter into `out`.
inline Tensor ReduceScatterScratch(Context& ctx, ConstView out, int ranks) {
  const int64_t step = std::min(out.num_elements(), kReduceElements);
  return Tensor(ctx, {step * (ranks - 1)}, out.dtype, MemoryKind::kWorkspace);
}

}  // namespace frond
