// core/ops/attention.h through cuDNN's fused kernels, where spec.engine asks for them: bf16, no
// bias, not causal. Only in builds with cuDNN (kHaveCudnn); contracts are the op's.
//
// cuDNN's statistics mean what our lse does and are written where it lies. Dropout is a factor on
// the rows of v and of its gradient (attention_keep.h): those are rounded to bf16 once more each.
// The gradient is the one of cuDNN's whose bits repeat (core/ops/attention_groups.h says what it
// takes). Plans are kept by the context. Where cuDNN refuses one after all, or fails, the process
// ends with its words.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/ops/attention_groups.h"
#include "core/ops/cuda/cudnn_attention.h"
#include "core/tensor/columns.h"

namespace frond::cuda {

void CudnnCrossAttention(Context& ctx, ConstColumns q, ConstColumns k, ConstColumns v,
                         const AttentionSpec& spec, View out, View lse);

// `out` and `lse` as the op kept them.
struct CudnnAttended {
  ConstView out, lse;
};
struct CudnnGradients {
  Columns dq, dk, dv;
};
void CudnnCrossAttentionGrad(Context& ctx, ConstView dout, ConstColumns q, ConstColumns k,
                             ConstColumns v, const CudnnAttended& attended,
                             const AttentionSpec& spec, const CudnnGradients& gradients);

// Loads cuDNN and builds a plan of each pass for heads like these. Errors say what is missing.
absl::Status ProbeCudnnAttention(Context& ctx, int num_heads, int head_dim);

// What cuDNN would run for a group on a device that need not be here; see PlanCudnnAttention. The
// facts say nothing of kept_bytes, which depend on the rows.
absl::StatusOr<CudnnPlanFacts> PlanCudnnGroup(const BatchSizes& sizes, const AttentionSpec& spec,
                                              const CudnnPitches& pitches, CudnnPass pass,
                                              absl::string_view device);

}  // namespace frond::cuda
