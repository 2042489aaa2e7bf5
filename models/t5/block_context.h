// What the blocks of a stack share: dtypes, sizes and dropout rate.
#pragma once

#include "core/nn/grad_sink.h"
#include "core/nn/linear.h"
#include "core/nn/param.h"
#include "core/ops/attention_engine.h"
#include "core/ops/dropout.h"
#include "dist/tensor_axis.h"
#include "models/t5/t5_config.h"

namespace frond {

struct BlockDims {
  const T5Config* config = nullptr;  // owned by the model
  DType compute = DType::kF32;       // operands of products, their gradients
  DType projected = DType::kF32;     // what attention and gates read: q, k, v, gate and up
  DType residual = DType::kF32;      // the residual stream and its gradient
  const TensorAxis* axis = nullptr;  // owned by the model
  AttentionEngine cross_attention = AttentionEngine::kFrond;  // of whole passes

  // This rank's parts.
  int64_t heads() const { return axis->Part(config->num_heads); }
  int64_t inner() const { return heads() * config->d_kv; }
  int64_t hidden() const { return axis->Part(config->d_ff); }
  // Statistics and norm scales: f32, or f64 in f64 models.
  DType statistics() const { return compute == DType::kF64 ? DType::kF64 : DType::kF32; }
};

// out = x + dropout(h W^T), the end of a block's branch: h [T, in of this rank], the products
// summed over the axis; x and out are this rank's own rows of the residual stream [Own(T), d], and
// out may be x. Without dropout a rank alone adds in the product itself: its one rounding is the
// only one. Collective over the axis.
void AddBranch(Context& ctx, const Linear& layer, ConstView h, const TensorAxis& axis,
               const DropoutSpec& dropout, ConstView x, View out);

// The gradient of a block's branch from the gradient of the residual stream: dropout's mask
// applied, in the dtype of products, `compute`. `buffer` receives it where a copy is needed.
ConstView BranchGradient(Context& ctx, ConstView dout, const DropoutSpec& dropout, DType compute,
                         Tensor& buffer);

// RMS norm with its own scale parameter.
class NormLayer {
 public:
  // Declares `scope`.layer_norm.weight or, for final norms, the scope itself.
  NormLayer(ParamStore& store, const Scope& scope, const BlockDims& dims);
  // y [T, d] and rstd [T] are assigned; T: this rank's own rows.
  void Forward(Context& ctx, ConstView x, View y, View rstd) const;
  // y = h W^T of the norm h: a product of what this rank holds of the weights, of all rows. h [T,
  // d] and rstd [T] are assigned. Where y is wider than h, the product takes h's 16 bits, 8 of
  // which are kept in h. Collective over `axis`.
  void Project(Context& ctx, ConstView x, const JoinedLinear& layer, const TensorAxis& axis, View h,
               View rstd, View y) const;
  // Collective over the tensor axis.
  void Backward(Context& ctx, ConstView dy, ConstView x, ConstView rstd, Write mode, View dx,
                GradSink& sink) const;
  // Without a contribution: a pass without tokens.
  void Close(Context& ctx, GradSink& sink) const { sink.Close(ctx, *scale_); }

 private:
  Param* scale_;
  float epsilon_;
  const TensorAxis* axis_;
};

}  // namespace frond
