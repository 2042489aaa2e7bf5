// T5 attention (core/ops/attention.h) through cuDNN's fused kernels for one set of segments, with
// or without a bias: the rival that our own kernel is measured against. What models call is in
// cudnn_cross_attention.h. Only in builds with cuDNN (kHaveCudnn).
//
// What differs from our op: operands are bf16; a bias is a whole tensor of scores instead of a
// table of buckets, and its gradient is one too, summed over the segments and rounded to bf16;
// there is no dropout.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/ops/attention.h"
#include "core/tensor/tensor.h"

namespace frond::cuda {

struct CudnnAttentionOptions {
  // Scores get an addend [heads, longest query segment, longest key segment], bf16, the same for
  // all segments, and the gradient gives that of it.
  bool bias = false;
  // The gradient's bits repeat from run to run. It then takes 2 bytes of workspace for every score
  // of every segment, as with a bias.
  bool deterministic = false;
};

// Elements from one row of an operand to the next; dq lies as q does, dk as k, and out and dout
// without gaps.
struct CudnnPitches {
  int64_t q = 0, k = 0, v = 0, dv = 0;
};

struct CudnnPlanFacts {
  int64_t engine = -1;  // cuDNN's number of it
  // What cuDNN asks for, and what the graph itself keeps between its parts.
  int64_t workspace_bytes = 0, kept_bytes = 0;
};

enum class CudnnPass : uint8_t { kForward, kGradient };

// What cuDNN would run on a device that need not be here. `device` is JSON text as cuDNN 9.8 and
// newer writes and reads it for a device's properties.
absl::StatusOr<CudnnPlanFacts> PlanCudnnAttention(const AttentionSpec& spec,
                                                  const CudnnAttentionOptions& options,
                                                  CudnnPass pass, absl::string_view device);

// Plans for the segments of one `spec`. Segments lie end to end in order, without gaps, and none is
// empty; causal ones have as many queries as keys.
class CudnnAttention {
 public:
  // Errors: other segments, dropout, or what cuDNN does not support; its words are given.
  static absl::StatusOr<std::unique_ptr<CudnnAttention>> Create(
      Context& ctx, const AttentionSpec& spec, const CudnnAttentionOptions& options);
  ~CudnnAttention();

  // out = attention(q, k, v) as in core/ops/attention.h; what the gradient needs is kept inside.
  // `bias` is empty where the options have none. Errors are cuDNN's.
  absl::Status Forward(Context& ctx, ConstView q, ConstView k, ConstView v, ConstView bias,
                       View out);

  struct Gradients {
    View dq, dk, dv, dbias;
  };
  // After Forward with the same operands. All gradients are assigned.
  absl::Status Gradient(Context& ctx, ConstView dout, ConstView q, ConstView k, ConstView v,
                        ConstView bias, ConstView out, const Gradients& gradients);

 private:
  struct State;
  explicit CudnnAttention(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace frond::cuda
