// Pre-norm gated feed-forward with residual: x + dropout(wo(dropout(gelu(wi_0(h)) * wi_1(h)))), h =
// norm(x).
#pragma once

#include "core/nn/linear.h"
#include "models/t5/block_context.h"
#include "models/t5/token_layout.h"

namespace frond {

class FeedForwardBlock {
 public:
  // `scope` is e.g. encoder.block.0.layer.1; declares DenseReluDense.{wi_0,wi_1,wo} and layer_norm.
  FeedForwardBlock(ParamStore& store, const Scope& scope, const BlockDims& dims, bool is_decoder,
                   int layer);

  struct Saved {
    Tensor rstd, h;  // of this rank's own rows
    Tensor hidden;   // gate and up side by side
    Tensor product;
    // Frees what Backward can make again, to the same bits, at little cost.
    void ReleaseCheap() {
      h.Reset();
      product.Reset();
    }
  };

  // out [T, d] is assigned and may alias x where nothing is kept; T: this rank's own rows. keep ==
  // nullptr: inference. Passes are collective over the layout's axis. An
  // empty `out` leaves out what only it needs: a recomputation for Backward.
  void Forward(Context& ctx, ConstView x, const TokenLayout& layout, float dropout, View out,
               Saved* keep) const;

  // dx holds the gradient of `out` and becomes the gradient of x.
  void Backward(Context& ctx, ConstView x, const TokenLayout& layout, float dropout, Saved saved,
                View dx, GradSink& sink) const;

 private:
  DropoutSpec GateDropout(const Context& ctx, float rate, const TokenLayout& layout) const;
  DropoutSpec OutputDropout(const Context& ctx, float rate, const TokenLayout& layout) const;
  // Of gate and up, in place where their dtype allows it.
  Tensor GateGradient(Context& ctx, ConstView dproduct, Tensor hidden) const;
  // dropout(gelu(gate) * up)
  Tensor Product(Context& ctx, const Saved& saved, const TokenLayout& layout, float dropout) const;

  BlockDims dims_;
  bool is_decoder_;
  int layer_;
  JoinedLinear wi_;  // wi_0, the gate, and wi_1
  Linear wo_;
  NormLayer norm_;
};

}  // namespace frond
