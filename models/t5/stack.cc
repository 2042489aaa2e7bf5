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
    const size_t first = store.params().size();
    const int section = store.StartSection();
    const Scope layers = scope / "block" / i / "layer";
    AttentionBlock self(store, layers / 0, dims, {.is_decoder = is_decoder, .layer = i});
    std::unique_ptr<AttentionBlock> cross;
    if (is_decoder) {
      cross = std::make_unique<AttentionBlock>(
          store, layers / 1, dims, AttentionRole{.is_decoder = true, .is_cross = true, .layer = i});
    }
    FeedForwardBlock feed_forward(store, layers / (is_decoder ? 2 : 1), dims, is_decoder, i);
    blocks.push_back({std::move(self), std::move(cross), std::move(feed_forward), section, {}});
    for (size_t p = store.params().size(); p > first; --p) {
      blocks.back().params.push_back(store.params()[p - 1].get());
    }
  }
  return blocks;
}

// The part of a pass that a chunk is.
Stack::Input ChunkInput(const Stack::Input& in, const TokenChunk& chunk) {
  Stack::Input part = {.layout = &chunk.own.layout, .dropout = in.dropout};
  if (in.memory_layout != nullptr) {
    part.memory = Rows(in.memory, chunk.memory.first, chunk.memory.end_token());
    part.memory_layout = &chunk.memory.layout;
  }
  return part;
}

// A chunk's rows among this rank's own rows of the whole side.
struct OwnRows {
  OwnRows(const TensorAxis& axis, const LayoutSlice& slice)
      : begin(axis.Own(slice.first)), end(axis.Own(slice.end_token())) {}
  int64_t begin, end;
};

void CloseBlock(Context& ctx, const Block& block, GradSink& sink) {
  for (Param* param : block.params) sink.Close(ctx, *param);
}

}  // namespace

Stack::Stack(ParamStore& store, const Scope& scope, const BlockDims& dims, bool is_decoder)
    : store_(&store),
      dims_(dims),
      is_decoder_(is_decoder),
      blocks_(MakeBlocks(store, scope, dims, is_decoder)),
      bias_(&store.Add(
          scope / "block" / 0 / "layer" / 0 / "SelfAttention" / "relative_attention_bias" /
              "weight",
          {.shape = {dims.config->relative_attention_num_buckets, dims.config->num_heads},
           .partition = Partition::Split(1),
           .init = Initializer::Normal(1 / std::sqrt(static_cast<double>(dims.config->d_model))),
           .use = ParamUse::kVector})),
      final_norm_(store, scope / "final_layer_norm", dims) {}

AttentionBlock::Input Stack::SelfInput(ConstView x, const Input& in) const {
  return {.x = x, .layout = in.layout, .bias = bias_->Weight(), .dropout = in.dropout};
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

void Stack::BlockSaved::ReleaseCheap() {
  self.ReleaseCheap();
  cross.ReleaseCheap();
  feed_forward.ReleaseCheap();
}

void Stack::ForwardBlock(Context& ctx, const Block& block, const Input& in, ConstView x, View out,
                         BlockSaved* keep) const {
  if (keep == nullptr) {
    block.self.Forward(ctx, SelfInput(x, in), out, nullptr);
    if (block.cross != nullptr) block.cross->Forward(ctx, CrossInput(out, in), out, nullptr);
    block.feed_forward.Forward(ctx, out, *in.layout, in.dropout, out, nullptr);
    return;
  }
  Tensor y(ctx, x.shape, dims_.residual);
  block.self.Forward(ctx, SelfInput(x, in), y, &keep->self);
  if (block.cross != nullptr) {
    keep->x_cross = std::move(y);
    y = Tensor(ctx, x.shape, dims_.residual);
    block.cross->Forward(ctx, CrossInput(keep->x_cross, in), y, &keep->cross);
  }
  keep->x_feed_forward = std::move(y);
  block.feed_forward.Forward(ctx, keep->x_feed_forward, *in.layout, in.dropout, out,
                             &keep->feed_forward);
}

Tensor Stack::Forward(Context& ctx, Tensor x, const Input& in, const RecomputePlan& plan,
                      Saved* keep) const {
  const std::vector<TokenChunk> chunks =
      CutIntoChunks(*in.layout, in.memory_layout, plan.max_chunk_tokens);
  const bool keep_blocks = keep != nullptr && plan.mode != RecomputeMode::kBlock;
  CHECK(!keep_blocks || chunks.size() == 1) << "activations of chunks are never kept";
  for (const Block& block : blocks_) {
    if (keep != nullptr) store_->Await(ctx, block.section);
    Tensor out(ctx, x.shape(), dims_.residual);
    BlockSaved saved;
    for (const TokenChunk& chunk : chunks) {
      const OwnRows own(*in.layout->axis, chunk.own);
      ForwardBlock(ctx, block, ChunkInput(in, chunk), Rows(x.view(), own.begin, own.end),
                   Rows(out.view(), own.begin, own.end), keep_blocks ? &saved : nullptr);
    }
    if (plan.mode == RecomputeMode::kSelective) saved.ReleaseCheap();
    if (keep_blocks) keep->blocks.push_back(std::move(saved));
    if (keep != nullptr) keep->x.push_back(std::move(x));
    x = std::move(out);
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

void Stack::BackwardBlock(Context& ctx, const Block& block, const Input& in, ConstView x,
                          BlockSaved saved, const BlockGradients& gradients, GradSink& sink) const {
  const View dx = gradients.dx;
  block.feed_forward.Backward(ctx, saved.x_feed_forward, *in.layout, in.dropout,
                              std::move(saved.feed_forward), dx, sink);
  if (block.cross != nullptr) {
    block.cross->Backward(ctx, CrossInput(saved.x_cross, in), std::move(saved.cross), dx,
                          gradients.dmemory, {}, sink);
  }
  block.self.Backward(ctx, SelfInput(x, in), std::move(saved.self), dx, {}, gradients.dbias, sink);
}

Tensor Stack::Backward(Context& ctx, Tensor dy, const Input& in, const RecomputePlan& plan,
                       Saved saved, View dmemory, GradSink& sink) const {
  if (in.dropout > 0) Dropout(ctx, dy, OutputDropout(ctx, in), dy);
  Tensor dx(ctx, dy.shape(), dims_.residual);
  final_norm_.Backward(ctx, dy, saved.x_final, saved.rstd_final, Write::kAssign, dx, sink);
  dy.Reset();
  saved.x_final.Reset();
  const std::vector<TokenChunk> chunks =
      CutIntoChunks(*in.layout, in.memory_layout, plan.max_chunk_tokens);
  const View dbias = sink.Open(ctx, *bias_);
  for (int i = static_cast<int>(blocks_.size()) - 1; i >= 0; --i) {
    const Block& block = blocks_[i];
    const Tensor x = std::move(saved.x[i]);
    // Weights are read until the last chunk is through.
    HeldOpenSink held(sink);
    for (const TokenChunk& chunk : chunks) {
      const OwnRows own(*in.layout->axis, chunk.own);
      const Input part = ChunkInput(in, chunk);
      const ConstView x_part = Rows(x.view(), own.begin, own.end);
      BlockSaved s;
      if (plan.mode == RecomputeMode::kBlock) {
        ForwardBlock(ctx, block, part, x_part, {}, &s);
      } else {
        s = std::move(saved.blocks[i]);
      }
      BlockGradients gradients = {.dx = Rows(dx.view(), own.begin, own.end), .dbias = dbias};
      if (is_decoder_) {
        gradients.dmemory = Rows(dmemory, chunk.memory.first, chunk.memory.end_token());
      }
      BackwardBlock(ctx, block, part, x_part, std::move(s), gradients, held);
    }
    CloseBlock(ctx, block, sink);
  }
  sink.Close(ctx, *bias_);
  return dx;
}

void Stack::CloseAll(Context& ctx, GradSink& sink) const {
  final_norm_.Close(ctx, sink);
  for (size_t i = blocks_.size(); i > 0; --i) CloseBlock(ctx, blocks_[i - 1], sink);
  sink.Close(ctx, *bias_);
}

}  // namespace frond
