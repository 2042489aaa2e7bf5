#include "models/t5/incremental_decoder.h"

#include <utility>

#include "core/ops/scatter_rows.h"
#include "core/tensor/repeated_work.h"

namespace frond {

IncrementalDecoder::IncrementalDecoder(Context& ctx, T5Model& model, const Batch& sources,
                                       int64_t max_tokens)
    : model_(model),
      axis_(model.options().tensor.WithWholeRows()),
      num_sequences_(sources.num_examples()),
      max_tokens_(max_tokens),
      source_offsets_(sources.source_offsets) {
  const Tensor memory = model.Encode(ctx, sources);
  const int64_t inner = model.dims().inner();
  const DType dtype = model.dims().projected;
  for (const Block& block : model.decoder().blocks()) {
    LayerCache cache{Tensor(ctx, {num_sequences_ * max_tokens, 2 * inner}, dtype),
                     Tensor(ctx, {memory.shape().dim(0), 2 * inner}, dtype)};
    block.cross->memory_projection().Forward(ctx, memory, cache.cross_kv);
    layers_.push_back(std::move(cache));
  }
}

IncrementalDecoder::Segments IncrementalDecoder::SelfSegments(
    std::span<const int32_t> active) const {
  Segments s;
  for (size_t i = 0; i < active.size(); ++i) {
    s.query_begin.push_back(static_cast<int32_t>(i));
    s.query_end.push_back(static_cast<int32_t>(i + 1));
    s.key_begin.push_back(static_cast<int32_t>(active[i] * max_tokens_));
    s.key_end.push_back(static_cast<int32_t>(active[i] * max_tokens_ + position_ + 1));
  }
  return s;
}

IncrementalDecoder::Segments IncrementalDecoder::CrossSegments(
    std::span<const int32_t> active) const {
  Segments s;
  for (size_t i = 0; i < active.size(); ++i) {
    s.query_begin.push_back(static_cast<int32_t>(i));
    s.query_end.push_back(static_cast<int32_t>(i + 1));
    s.key_begin.push_back(source_offsets_[active[i]]);
    s.key_end.push_back(source_offsets_[active[i] + 1]);
  }
  return s;
}

void IncrementalDecoder::Attend(Context& ctx, const AttentionBlock& block, ConstColumns q,
                                ConstView kv, const Segments& segments, ConstView bias,
                                View x) const {
  const BlockDims& dims = model_.dims();
  AttentionSpec spec = block.Spec();
  spec.query_begin = segments.query_begin;
  spec.query_end = segments.query_end;
  spec.key_begin = segments.key_begin;
  spec.key_end = segments.key_end;
  const int64_t inner = dims.inner();
  Tensor attended(ctx, q.shape(), dims.compute);
  Tensor lse(ctx, {q.rows, dims.heads()}, dims.statistics());
  Attention(ctx, q, ColumnsOf(kv, 0, inner), ColumnsOf(kv, inner, 2 * inner), bias, spec, attended,
            lse);
  AddBranch(ctx, block.o(), attended, axis_, {}, x, x);
}

void IncrementalDecoder::SelfAttention(Context& ctx, const AttentionBlock& block, LayerCache& cache,
                                       std::span<const int32_t> active, View x) const {
  const BlockDims& dims = model_.dims();
  const int64_t inner = dims.inner();
  Tensor h(ctx, x.shape, dims.compute), rstd(ctx, {x.dim(0)}, dims.statistics());
  Tensor projected(ctx, {x.dim(0), 3 * inner}, dims.projected);
  block.norm().Project(ctx, x, block.projection(), axis_, h, rstd, projected);
  std::vector<int64_t> rows;
  for (const int32_t sequence : active) rows.push_back(sequence * max_tokens_ + position_);
  ScatterRows(ctx, ColumnsOf(projected.view(), inner, 3 * inner), rows, cache.self_kv);
  Attend(ctx, block, ColumnsOf(projected.view(), 0, inner), cache.self_kv, SelfSegments(active),
         model_.decoder().bias_table(), x);
}

void IncrementalDecoder::CrossAttention(Context& ctx, const AttentionBlock& block,
                                        const LayerCache& cache, std::span<const int32_t> active,
                                        View x) const {
  const BlockDims& dims = model_.dims();
  Tensor h(ctx, x.shape, dims.compute), rstd(ctx, {x.dim(0)}, dims.statistics());
  Tensor q(ctx, {x.dim(0), dims.inner()}, dims.projected);
  block.norm().Project(ctx, x, block.projection(), axis_, h, rstd, q);
  Attend(ctx, block, q, cache.cross_kv, CrossSegments(active), {}, x);
}

Tensor IncrementalDecoder::Step(Context& ctx, std::span<const int32_t> active,
                                std::span<const int32_t> ids) {
  CHECK_LT(position_, max_tokens_);
  CHECK_EQ(active.size(), ids.size());
  Tensor logits;
  const auto step = [&] { logits = Logits(ctx, active, ids); };
  if (axis_.size() > 1) {
    step();
  } else {
    RunRepeated(ctx, {.owner = &model_, .shape = std::ssize(active)}, step);
  }
  ++position_;
  return logits;
}

Tensor IncrementalDecoder::Logits(Context& ctx, std::span<const int32_t> active,
                                  std::span<const int32_t> ids) {
  Tensor x = model_.EmbedTokens(ctx, ids, axis_);
  const TokenLayout no_keys{.num_tokens = static_cast<int64_t>(ids.size()), .axis = &axis_};
  const std::vector<Block>& blocks = model_.decoder().blocks();
  for (size_t i = 0; i < blocks.size(); ++i) {
    SelfAttention(ctx, blocks[i].self, layers_[i], active, x);
    CrossAttention(ctx, *blocks[i].cross, layers_[i], active, x);
    blocks[i].feed_forward.Forward(ctx, x, no_keys, 0, x, nullptr);
  }
  const BlockDims& dims = model_.dims();
  Tensor y(ctx, x.shape(), dims.compute), rstd(ctx, {x.shape().dim(0)}, dims.statistics());
  model_.decoder().final_norm().Forward(ctx, x, y, rstd);
  return model_.WholeLogits(ctx, y);
}

}  // namespace frond
