// Pre-norm attention with residual: x + dropout(o(attention(q(h), k(m), v(m)))), h = norm(x).
//
// Self-attention: m = h. Cross-attention: m is the encoder's output (already normalised), without
// relative-position bias. T5 scales neither queries nor scores.
#pragma once

#include <optional>

#include "core/nn/linear.h"
#include "core/ops/attention.h"
#include "models/t5/block_context.h"
#include "models/t5/token_layout.h"

namespace frond {

// Which attention a block is; decides masks, bias and dropout sites.
struct AttentionRole {
  bool is_decoder = false;
  bool is_cross = false;
  int layer = 0;
};

class AttentionBlock {
 public:
  // `scope` is e.g. encoder.block.0.layer.0; declares q, k, v, o below `SelfAttention` or
  // `EncDecAttention`, then layer_norm.
  AttentionBlock(ParamStore& store, const Scope& scope, const BlockDims& dims, AttentionRole role);

  // What Backward needs beside the input.
  struct Saved {
    Tensor rstd, h;    // of this rank's own rows
    Tensor projected;  // q, k and v side by side; of cross-attention q
    Tensor memory_kv;  // of cross-attention k and v side by side
    Tensor attended, lse;
    // Frees what Backward can make again, to the same bits, at little cost.
    void ReleaseCheap() { h.Reset(); }
  };
  // Operands of one call. `memory` [Tm, d], whole on every rank, and its layout are read by
  // cross-attention only. `bias` is the stack's table [buckets, heads], this rank's heads of it,
  // empty for cross-attention.
  struct Input {
    ConstView x;  // [T, d], residual dtype; T: this rank's own rows
    const TokenLayout* layout = nullptr;
    ConstView memory;  // [Tm, d], dtype of products
    const TokenLayout* memory_layout = nullptr;
    ConstView bias;
    float dropout = 0;
  };

  // out [T, d] is assigned and may alias x where nothing is kept. keep == nullptr: inference.
  // Passes are collective over the layout's axis.
  void Forward(Context& ctx, const Input& in, View out, Saved* keep) const;

  // dx holds the gradient of `out` and becomes the gradient of x. Cross-attention adds this rank's
  // part of the gradient of the memory to dmemory [Tm, d] (residual dtype). dbias accumulates.
  void Backward(Context& ctx, const Input& in, Saved saved, View dx, View dmemory, View dbias,
                GradSink& sink) const;

  // The parts that decoding with a cache calls one by one.
  const NormLayer& norm() const { return norm_; }
  // To q, k and v side by side, or of cross-attention to q.
  const JoinedLinear& projection() const { return projection_; }
  // Of cross-attention: to k and v side by side.
  const JoinedLinear& memory_projection() const {
    CHECK(role_.is_cross);
    return *memory_projection_;
  }
  const Linear& o() const { return o_; }
  // Of this rank's heads, without segments, dropout and another engine than ours.
  AttentionSpec Spec() const;

 private:
  AttentionSpec SpecFor(const Context& ctx, const Input& in) const;
  DropoutSpec OutputDropout(const Context& ctx, const Input& in) const;
  // q, k and v, or their gradients, in what the projections give.
  template <class Part>
  struct Operands {
    Part q, k, v;
  };
  template <class Part, class Whole>
  Operands<Part> OperandsIn(Whole projected, Whole memory_kv) const;

  BlockDims dims_;
  AttentionRole role_;
  JoinedLinear projection_;
  std::optional<JoinedLinear> memory_projection_;
  Linear o_;
  NormLayer norm_;
};

}  // namespace frond
