// Which kernels compute an attention call on a GPU.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "core/tensor/context.h"
#include "core/tensor/dtype.h"

namespace frond {

enum class AttentionEngine : uint8_t {
  kFrond,  // ours, on every device
  // cuDNN's fused kernels: on a GPU, in bf16, neither causal nor with a bias, over segments that
  // lie in rising order and do not overlap. Dropout drops what ours drops; the same inputs give the
  // same bits.
  kCudnn,
};

// Whether AttentionEngine::kCudnn can compute attention of such heads, forward and backward, on the
// context's device; else one line that says why not. On a GPU this loads cuDNN and builds a plan of
// each pass; a context that rehearses a GPU answers without one.
absl::Status CheckCudnnAttention(Context& ctx, DType dtype, int num_heads, int head_dim);

}  // namespace frond
