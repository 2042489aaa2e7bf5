#include "models/t5/feed_forward_block.h"

#include <cmath>
#include <utility>

#include "core/ops/gated_gelu.h"

namespace frond {

FeedForwardBlock::FeedForwardBlock(ParamStore& store, const Scope& scope, const BlockDims& dims,
                                   bool is_decoder, int layer)
    : dims_(dims),
      is_decoder_(is_decoder),
      layer_(layer),
      wi_0_(store, scope / "DenseReluDense" / "wi_0", dims.config->d_model, dims.config->d_ff,
            1 / std::sqrt(static_cast<double>(dims.config->d_model))),
      wi_1_(store, scope / "DenseReluDense" / "wi_1", dims.config->d_model, dims.config->d_ff,
            1 / std::sqrt(static_cast<double>(dims.config->d_model))),
      wo_(store, scope / "DenseReluDense" / "wo", dims.config->d_ff, dims.config->d_model,
          1 / std::sqrt(static_cast<double>(dims.config->d_ff))),
      norm_(store, scope / "layer_norm", dims) {}

DropoutSpec FeedForwardBlock::DropoutOf(const Context& ctx, DropoutPlace place, float rate,
                                        const TokenLayout& layout) const {
  return DropoutAt(ctx, rate, DropoutSite(is_decoder_, layer_, place), layout);
}

Tensor FeedForwardBlock::Product(Context& ctx, const Saved& saved, const TokenLayout& layout,
                                 float dropout) const {
  Tensor product(ctx, saved.gate.shape(), dims_.compute);
  GatedGelu(ctx, saved.gate, saved.up, product);
  if (dropout > 0) {
    Dropout(ctx, product, DropoutOf(ctx, DropoutPlace::kGate, dropout, layout), product);
  }
  return product;
}

void FeedForwardBlock::Forward(Context& ctx, ConstView x, const TokenLayout& layout, float dropout,
                               View out, Saved* keep) const {
  const int64_t tokens = x.dim(0);
  const Shape hidden = {tokens, dims_.config->d_ff};
  Saved local;
  Saved& s = keep != nullptr ? *keep : local;
  s.h = Tensor(ctx, x.shape, dims_.compute);
  s.rstd = Tensor(ctx, {tokens}, dims_.statistics());
  norm_.Forward(ctx, x, s.h, s.rstd);
  s.gate = Tensor(ctx, hidden, dims_.compute);
  s.up = Tensor(ctx, hidden, dims_.compute);
  wi_0_.Forward(ctx, s.h, Write::kAssign, s.gate);
  wi_1_.Forward(ctx, s.h, Write::kAssign, s.up);
  s.product = Product(ctx, s, layout, dropout);
  if (out.data == nullptr) return;
  Tensor branch(ctx, x.shape, dims_.residual);
  wo_.Forward(ctx, s.product, Write::kAssign, branch);
  DropoutAdd(ctx, branch, DropoutOf(ctx, DropoutPlace::kFeedForward, dropout, layout), x, out);
}

void FeedForwardBlock::Backward(Context& ctx, ConstView x, const TokenLayout& layout, float dropout,
                                Saved saved, View dx, GradSink& sink) const {
  Tensor buffer;
  const ConstView dbranch = BranchGradient(
      ctx, dx, DropoutOf(ctx, DropoutPlace::kFeedForward, dropout, layout), dims_.compute, buffer);
  if (saved.product.empty()) saved.product = Product(ctx, saved, layout, dropout);
  wo_.BackwardWeight(ctx, dbranch, saved.product, sink);
  Tensor dproduct = std::move(saved.product);  // its values are used up
  wo_.BackwardInput(ctx, dbranch, Write::kAssign, dproduct);
  if (dropout > 0) {
    Dropout(ctx, dproduct, DropoutOf(ctx, DropoutPlace::kGate, dropout, layout), dproduct);
  }
  buffer.Reset();
  GatedGeluGrad(ctx, dproduct, saved.gate, saved.up, saved.gate, saved.up);
  const Tensor dgate = std::move(saved.gate), dup = std::move(saved.up);
  dproduct.Reset();
  if (saved.h.empty()) {
    saved.h = Tensor(ctx, x.shape, dims_.compute);
    norm_.Forward(ctx, x, saved.h, saved.rstd);
  }
  wi_0_.BackwardWeight(ctx, dgate, saved.h, sink);
  wi_1_.BackwardWeight(ctx, dup, saved.h, sink);
  Tensor dh = std::move(saved.h);
  wi_0_.BackwardInput(ctx, dgate, Write::kAssign, dh);
  wi_1_.BackwardInput(ctx, dup, Write::kAccumulate, dh);
  norm_.Backward(ctx, dh, x, saved.rstd, Write::kAccumulate, dx, sink);
}

}  // namespace frond
