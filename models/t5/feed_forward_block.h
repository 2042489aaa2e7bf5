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
    Tensor rstd, h, gate, up, product;
  };

  // out [T, d] is assigned and may alias x where nothing is kept. keep == nullptr: inference.
  void Forward(Context& ctx, ConstView x, const TokenLayout& layout, float dropout, View out,
               Saved* keep) const;

  // dx holds the gradient of `out` and becomes the gradient of x.
  void Backward(Context& ctx, ConstView x, const TokenLayout& layout, float dropout, Saved saved,
                View dx, GradSink& sink) const;

 private:
  DropoutSpec DropoutOf(const Context& ctx, DropoutPlace place, float rate,
                        const TokenLayout& layout) const;

  BlockDims dims_;
  bool is_decoder_;
  int layer_;
  Linear wi_0_, wi_1_, wo_;
  NormLayer norm_;
};

}  // namespace frond
