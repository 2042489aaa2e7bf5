#include "models/t5/feed_forward_block.h"

#include <cmath>
#include <utility>

#include "core/ops/gated_gelu.h"

namespace frond {
namespace {

double InputStddev(const T5Config& config) {
  return 1 / std::sqrt(static_cast<double>(config.d_model));
}

}  // namespace

FeedForwardBlock::FeedForwardBlock(ParamStore& store, const Scope& scope, const BlockDims& dims,
                                   bool is_decoder, int layer)
    : dims_(dims),
      is_decoder_(is_decoder),
      layer_(layer),
      wi_(store,
          {{scope / "DenseReluDense" / "wi_0", dims.config->d_ff, InputStddev(*dims.config)},
           {scope / "DenseReluDense" / "wi_1", dims.config->d_ff, InputStddev(*dims.config)}},
          dims.config->d_model, Partition::Split(0)),
      wo_(store, scope / "DenseReluDense" / "wo", dims.config->d_ff, dims.config->d_model,
          1 / std::sqrt(static_cast<double>(dims.config->d_ff)), Partition::Split(1)),
      norm_(store, scope / "layer_norm", dims) {}

DropoutSpec FeedForwardBlock::OutputDropout(const Context& ctx, float rate,
                                            const TokenLayout& layout) const {
  return DropoutAt(ctx, rate, DropoutSite(is_decoder_, layer_, DropoutPlace::kFeedForward), layout);
}

// On this rank's columns of every row.
DropoutSpec FeedForwardBlock::GateDropout(const Context& ctx, float rate,
                                          const TokenLayout& layout) const {
  return {.rate = rate,
          .key = ctx.rng.At(DropoutSite(is_decoder_, layer_, DropoutPlace::kGate)),
          .token_keys = layout.token_keys,
          .first_column = dims_.axis->PartBegin(dims_.config->d_ff)};
}

Tensor FeedForwardBlock::Product(Context& ctx, const Saved& saved, const TokenLayout& layout,
                                 float dropout) const {
  const ConstView hidden = saved.hidden;
  Tensor product(ctx, {hidden.dim(0), dims_.hidden()}, dims_.compute);
  GatedGelu(ctx, wi_.Of(0, hidden), wi_.Of(1, hidden), product);
  if (dropout > 0) {
    Dropout(ctx, product, GateDropout(ctx, dropout, layout), product);
  }
  return product;
}

void FeedForwardBlock::Forward(Context& ctx, ConstView x, const TokenLayout& layout, float dropout,
                               View out, Saved* keep) const {
  const TensorAxis& axis = *layout.axis;
  Saved local;
  Saved& s = keep != nullptr ? *keep : local;
  s.h = Tensor(ctx, x.shape, dims_.compute);
  s.rstd = Tensor(ctx, {x.dim(0)}, dims_.statistics());
  s.hidden = Tensor(ctx, {layout.num_tokens, wi_.out()}, dims_.projected);
  norm_.Project(ctx, x, wi_, axis, s.h, s.rstd, s.hidden);
  s.product = Product(ctx, s, layout, dropout);
  if (out.data == nullptr) return;
  AddBranch(ctx, wo_, s.product, axis, OutputDropout(ctx, dropout, layout), x, out);
}

Tensor FeedForwardBlock::GateGradient(Context& ctx, ConstView dproduct, Tensor hidden) const {
  const bool in_place = hidden.dtype() == dims_.compute;
  Tensor dhidden = in_place ? Tensor() : Tensor(ctx, hidden.shape(), dims_.compute);
  const ConstView from = hidden;
  const View to = in_place ? hidden.view() : dhidden.view();
  GatedGeluGrad(ctx, dproduct, wi_.Of(0, from), wi_.Of(1, from), wi_.Of(0, to), wi_.Of(1, to));
  return in_place ? std::move(hidden) : std::move(dhidden);
}

void FeedForwardBlock::Backward(Context& ctx, ConstView x, const TokenLayout& layout, float dropout,
                                Saved saved, View dx, GradSink& sink) const {
  const TensorAxis& axis = *layout.axis;
  Tensor own_buffer, buffer;
  const ConstView dbranch = axis.Whole(
      ctx, BranchGradient(ctx, dx, OutputDropout(ctx, dropout, layout), dims_.compute, own_buffer),
      buffer);
  if (saved.product.empty()) saved.product = Product(ctx, saved, layout, dropout);
  wo_.BackwardWeight(ctx, dbranch, saved.product, sink);
  Tensor dproduct = std::move(saved.product);  // its values are used up
  wo_.BackwardInput(ctx, dbranch, Write::kAssign, dproduct);
  if (dropout > 0) Dropout(ctx, dproduct, GateDropout(ctx, dropout, layout), dproduct);
  own_buffer.Reset();
  buffer.Reset();
  const Tensor dhidden = GateGradient(ctx, dproduct, std::move(saved.hidden));
  dproduct.Reset();
  if (saved.h.empty()) {
    saved.h = Tensor(ctx, x.shape, dims_.compute);
    norm_.Forward(ctx, x, saved.h, saved.rstd);
  }
  Tensor dh(ctx, {layout.num_tokens, x.dim(1)}, dims_.compute);
  wi_.BackwardInput(ctx, dhidden, Write::kAssign, dh);
  // The sum over the ranks goes on beside the weights' gradients.
  TensorAxis::StartedSum dh_sum = axis.StartSum(ctx, std::move(dh));
  wi_.BackwardWeight(ctx, dhidden, axis.Whole(ctx, saved.h, buffer), sink);
  norm_.Backward(ctx, dh_sum.Wait(), x, saved.rstd, Write::kAccumulate, dx, sink);
}

}  // namespace frond
