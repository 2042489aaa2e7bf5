#include "models/t5/stack.h"

#include <cmath>
#include <utility>

namespace frond {
namespace {

std::vector<Block> MakeBlocks(ParamStore& store, const Scope& scope, const BlockDims& dims,
                              bool is_decoder) {
  std::vector<Block> blocks;
  const int64_t count = is_decoder ? dims.config->num_decoder_layers : dims.config->num_layers;
  for (int i = 0; i < count; ++i) {
    const Scope layers = scope / "block" / i / "layer";
    AttentionBlock self(store, layers / 0, dims, {.is_decoder = is_decoder, .layer = i});
    std::unique_ptr<AttentionBlock> cross;
    if (is_decoder) {
      cross = std::make_unique<AttentionBlock>(
          store, layers / 1, dims, AttentionRole{.is_decoder = true, .is_cross = true, .layer = i});
    }
    FeedForwardBlock feed_forward(store, layers / (is_decoder ? 2 : 1), dims, is_decoder, i);
    blocks.push_back({std::move(self), std::move(cross), std::move(feed_forward)});
  }
  return blocks;
}

}  // namespace

Stack::Stack(ParamStore& store, const Scope& scope, const BlockDims& dims, bool is_decoder)
    : dims_(dims),
      is_decoder_(is_decoder),
      blocks_(MakeBlocks(store, scope, dims, is_decoder)),
      bias_(&store.Add(
          scope / "block" / 0 / "layer" / 0 / "SelfAttention" / "relative_attention_bias" /
              "weight",
          {.shape = {dims.config->relative_attention_num_buckets, dims.config->num_heads},
           .init = Initializer::Normal(1 / std::sqrt(static_cast<double>(dims.config->d_model))),
           .use = ParamUse::kVector})),
      final_norm_(store, scope / "final_layer_norm", dims) {}

AttentionBlock::Input Stack::SelfInput(ConstView x, const Input& in) const {
  return {.x = x, .layout = in.layout, .bias = bias_->value, .dropout = in.dropout};
}

AttentionBlock::Input Stack::CrossInput(ConstView x, const Input& in) const {
  return {.x = x,
          .layout = in.layout,
          .memory = in.memory,
          .memory_layout = in.memory_layout,
          .dropout = in.dropout};
}

DropoutSpec Stack::OutputDropout(const Context& ctx, const Input& in) const {
  return DropoutAt(ctx, in.dropout, DropoutSite(is_decoder_, 0, DropoutPlace::kOutput), *in.layout);
}

Tensor Stack::ForwardBlock(Context& ctx, const Block& block, const Input& in, BlockSaved& saved,
                           bool keep_all) const {
  Tensor x(ctx, saved.x.shape(), dims_.residual);
  block.self.Forward(ctx, SelfInput(saved.x, in), x, keep_all ? &saved.self : nullptr);
  if (block.cross != nullptr) {
    if (keep_all) {
      saved.x_cross = std::move(x);
      x = Tensor(ctx, saved.x.shape(), dims_.residual);
      block.cross->Forward(ctx, CrossInput(saved.x_cross, in), x, &saved.cross);
    } else {
      block.cross->Forward(ctx, CrossInput(x, in), x, nullptr);
    }
  }
  if (!keep_all) {
    block.feed_forward.Forward(ctx, x, *in.layout, in.dropout, x, nullptr);
    return x;
  }
  saved.x_feed_forward = std::move(x);
  Tensor out(ctx, saved.x.shape(), dims_.residual);
  block.feed_forward.Forward(ctx, saved.x_feed_forward, *in.layout, in.dropout, out,
                             &saved.feed_forward);
  return out;
}

Tensor Stack::Forward(Context& ctx, Tensor x, const Input& in, RecomputeMode recompute,
                      Saved* keep) const {
  for (const Block& block : blocks_) {
    BlockSaved saved;
    saved.x = std::move(x);
    const bool keep_all = keep != nullptr && recompute == RecomputeMode::kNone;
    x = ForwardBlock(ctx, block, in, saved, keep_all);
    if (keep != nullptr) keep->blocks.push_back(std::move(saved));
  }
  Tensor y(ctx, x.shape(), dims_.compute);
  Tensor rstd(ctx, {x.shape().dim(0)}, dims_.statistics());
  final_norm_.Forward(ctx, x, y, rstd);
  if (in.dropout > 0) Dropout(ctx, y, OutputDropout(ctx, in), y);
  if (keep != nullptr) {
    keep->x_final = std::move(x);
    keep->rstd_final = std::move(rstd);
  }
  return y;
}

Tensor Stack::Backward(Context& ctx, Tensor dy, const Input& in, RecomputeMode recompute,
                       Saved saved, View dmemory, GradSink& sink) const {
  if (in.dropout > 0) Dropout(ctx, dy, OutputDropout(ctx, in), dy);
  Tensor dx(ctx, dy.shape(), dims_.residual);
  final_norm_.Backward(ctx, dy, saved.x_final, saved.rstd_final, Write::kAssign, dx, sink);
  dy.Reset();
  saved.x_final.Reset();
  const View dbias = sink.Open(ctx, *bias_);
  for (int i = static_cast<int>(blocks_.size()) - 1; i >= 0; --i) {
    const Block& block = blocks_[i];
    BlockSaved s = std::move(saved.blocks[i]);
    if (recompute == RecomputeMode::kBlock) ForwardBlock(ctx, block, in, s, /*keep_all=*/true);
    block.feed_forward.Backward(ctx, s.x_feed_forward, *in.layout, in.dropout,
                                std::move(s.feed_forward), dx, sink);
    if (block.cross != nullptr) {
      block.cross->Backward(ctx, CrossInput(s.x_cross, in), std::move(s.cross), dx, dmemory, {},
                            sink);
    }
    block.self.Backward(ctx, SelfInput(s.x, in), std::move(s.self), dx, {}, dbias, sink);
  }
  sink.Close(ctx, *bias_);
  return dx;
}

}  // namespace frond
