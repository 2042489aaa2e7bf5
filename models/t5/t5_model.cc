#include "models/t5/t5_model.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "core/ops/dropout.h"
#include "core/ops/elementwise.h"
#include "core/ops/embedding.h"
#include "core/tensor/transfer.h"

namespace frond {
namespace {

// Token t of example e has key 2^20 e + t: the same wherever the example stands in a batch.
std::vector<uint64_t> TokenKeys(const std::vector<uint64_t>& example_keys,
                                const std::vector<int32_t>& offsets) {
  std::vector<uint64_t> keys(static_cast<size_t>(offsets.back()));
  for (size_t e = 0; e + 1 < offsets.size(); ++e) {
    for (int32_t t = offsets[e]; t < offsets[e + 1]; ++t) {
      keys[t] = (example_keys[e] << 20) + static_cast<uint64_t>(t - offsets[e]);
    }
  }
  return keys;
}

ParamSpec TableSpec(const T5Config& config, double stddev, ParamUse use) {
  return {.shape = {config.vocab_size, config.d_model},
          .partition = Partition::Split(0),
          .init = Initializer::Normal(stddev),
          .use = use};
}

// A head of its own is what a pass reads last.
Param* AddHead(ParamStore& store, const T5Config& config) {
  store.StartSection();
  return &store.Add(
      Scope("lm_head") / "weight",
      TableSpec(config, 1 / std::sqrt(static_cast<double>(config.d_model)), ParamUse::kMatrix));
}

}  // namespace

// A batch as the stacks see it. Both sides are filled up to a multiple of a tile that is at most
// 1/128 of their tokens, so that products of few distinct shapes have to be prepared, and that the
// ranks of the tensor axis can share; the filling is a segment of its own, has no weight in the
// loss and gets no gradient.
struct T5Model::Pass {
  Pass(const Batch& batch, const T5Model& model, bool with_keys)
      : axis(&model.options_.tensor),
        source_ids(batch.source_ids),
        decoder_ids(ShiftRight(batch, model.config_.decoder_start_token_id)) {
    const int64_t chunk = model.options_.recompute.max_chunk_tokens;
    if (chunk > 0) most_filled = static_cast<size_t>(chunk);
    const int32_t pad = model.config_.pad_token_id;
    if (with_keys) {
      CHECK_EQ(static_cast<int64_t>(batch.example_keys.size()), batch.num_examples());
      source_keys = TokenKeys(batch.example_keys, batch.source_offsets);
      target_keys = TokenKeys(batch.example_keys, batch.target_offsets);
    }
    source_offsets = Fill(batch.source_offsets, pad, source_ids, source_keys);
    target_offsets = Fill(batch.target_offsets, pad, decoder_ids, target_keys);
    source = LayoutOf(source_offsets, source_keys);
    target = LayoutOf(target_offsets, target_keys);
  }
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;

  // The offsets with the filling behind them.
  std::vector<int32_t> Fill(std::vector<int32_t> offsets, int32_t pad, std::vector<int32_t>& ids,
                            std::vector<uint64_t>& keys) const {
    const auto shared = static_cast<size_t>(axis->row_unit());
    const size_t tile = RoundUp(
        std::bit_floor(std::max<size_t>(std::min(ids.size(), most_filled) / 128, 1)), shared);
    const size_t filled = RoundUp(ids.size(), tile);
    ids.resize(filled, pad);
    if (!keys.empty()) keys.resize(filled, 0);
    offsets.push_back(static_cast<int32_t>(filled));
    return offsets;
  }
  TokenLayout LayoutOf(const std::vector<int32_t>& offsets,
                       const std::vector<uint64_t>& keys) const {
    const std::span<const int32_t> all(offsets);
    return {.begin = all.first(all.size() - 1),
            .end = all.subspan(1),
            .token_keys = keys,
            .num_tokens = offsets.back(),
            .axis = axis};
  }
  static size_t RoundUp(size_t count, size_t unit) { return (count + unit - 1) / unit * unit; }

  const TensorAxis* axis;
  size_t most_filled = std::numeric_limits<size_t>::max();  // tokens that a product sees at a time
  std::vector<int32_t> source_ids, decoder_ids;
  std::vector<int32_t> source_offsets, target_offsets;
  std::vector<uint64_t> source_keys, target_keys;
  TokenLayout source, target;
};

std::vector<int32_t> ShiftRight(const Batch& batch, int32_t start) {
  std::vector<int32_t> ids(batch.target_ids.size());
  for (int64_t e = 0; e < batch.num_examples(); ++e) {
    const int32_t begin = batch.target_offsets[e], end = batch.target_offsets[e + 1];
    for (int32_t t = begin; t < end; ++t) ids[t] = t == begin ? start : batch.target_ids[t - 1];
  }
  return ids;
}

T5Model::T5Model(const T5Config& config, const T5Options& options)
    : config_(config),
      options_(options),
      dims_{.config = &config_,
            .compute = options.compute,
            .projected = options.projected(),
            .residual = options.residual(),
            .axis = &options_.tensor,
            .cross_attention = options.cross_attention},
      params_(options.compute, options.masters, options.tensor.place(), options.shards),
      embedding_(&params_.Add(
          Scope("shared") / "weight",
          TableSpec(config, 1.0,
                    config.tied_head ? ParamUse::kEmbeddingAndMatrix : ParamUse::kEmbedding))),
      encoder_(params_, Scope("encoder"), dims_, /*is_decoder=*/false),
      decoder_(params_, Scope("decoder"), dims_, /*is_decoder=*/true),
      head_(config.tied_head ? embedding_ : AddHead(params_, config)) {}

VocabularyPart T5Model::vocabulary_part() const {
  const TensorAxis& axis = options_.tensor;
  return {.first_id = axis.PartBegin(config_.vocab_size), .vocabulary = config_.vocab_size};
}

HeadWeight T5Model::head() const {
  return {.value = head_->Weight(),
          .forward = head_->Pack(Trans::kYes),
          .backward = head_->Pack(Trans::kNo)};
}

double T5Model::head_scale() const {
  return config_.scale_decoder_output ? 1 / std::sqrt(static_cast<double>(config_.d_model)) : 1;
}

// Logits are activations too: no more than a chunk's exist at a time.
HeadLossSpec T5Model::HeadSpec(double z_loss) const {
  const TensorAxis& axis = options_.tensor;
  HeadLossSpec spec = {.hidden_scale = head_scale(), .z_loss = z_loss};
  spec.parts = {
      .part = vocabulary_part(),
      .count = axis.size(),
      .gather = [&axis](Context& ctx, ConstView own, View all) { axis.Gather(ctx, own, all); }};
  if (const int64_t chunk = options_.recompute.max_chunk_tokens; chunk > 0) {
    const auto element_bytes = static_cast<int64_t>(DTypeSize(dims_.statistics()));
    spec.max_logits_bytes =
        std::min(spec.max_logits_bytes, chunk * head_->shape.dim(0) * element_bytes);
  }
  return spec;
}

Tensor T5Model::EmbedTokens(Context& ctx, std::span<const int32_t> ids,
                            const TensorAxis& axis) const {
  Tensor x(ctx, {static_cast<int64_t>(ids.size()), config_.d_model}, dims_.residual);
  Embedding(ctx, embedding_->Weight(), ids, x, vocabulary_part());
  return axis.Sum(ctx, std::move(x));  // of one row and zeros
}

Tensor T5Model::WholeLogits(Context& ctx, ConstView hidden) const {
  Tensor part(ctx, {hidden.dim(0), head_->shape.dim(0)}, dims_.statistics());
  HeadLogits(ctx, hidden, head(), head_scale(), part);
  return options_.tensor.WholeColumns(ctx, std::move(part));
}

Tensor T5Model::EmbedInput(Context& ctx, std::span<const int32_t> ids, const TokenLayout& layout,
                           bool is_decoder, float dropout) const {
  Tensor x = EmbedTokens(ctx, ids, *layout.axis);
  if (dropout > 0) {
    Dropout(ctx, x,
            DropoutAt(ctx, dropout, DropoutSite(is_decoder, 0, DropoutPlace::kInput), layout), x);
  }
  return x;
}

void T5Model::EmbedBackward(Context& ctx, Tensor dx, std::span<const int32_t> ids,
                            const TokenLayout& layout, bool is_decoder, float dropout,
                            View dtable) const {
  if (dropout > 0) {
    Dropout(ctx, dx,
            DropoutAt(ctx, dropout, DropoutSite(is_decoder, 0, DropoutPlace::kInput), layout), dx);
  }
  EmbeddingGrad(ctx, layout.axis->Whole(ctx, std::move(dx)), ids, dtable, vocabulary_part());
}

// All rows, on every rank.
Tensor T5Model::RunEncoder(Context& ctx, const Pass& pass, float dropout, Stack::Saved* keep) {
  return pass.axis->Whole(
      ctx, encoder_.Forward(
               ctx, EmbedInput(ctx, pass.source_ids, pass.source, /*is_decoder=*/false, dropout),
               {.layout = &pass.source, .dropout = dropout}, options_.recompute, keep));
}

// All rows, on every rank.

Tensor T5Model::RunDecoder(Context& ctx, const Pass& pass, ConstView memory, float dropout,
                           Stack::Saved* keep) {
  return pass.axis->Whole(
      ctx, decoder_.Forward(
               ctx, EmbedInput(ctx, pass.decoder_ids, pass.target, /*is_decoder=*/true, dropout),
               {.layout = &pass.target,
                .memory = memory,
                .memory_layout = &pass.source,
                .dropout = dropout},
               options_.recompute, keep));
}

TokenLosses T5Model::ForwardBackward(Context& ctx, const Batch& batch, const LossInput& loss,
                                     GradSink& sink) {
  if (batch.num_examples() == 0) {
    params_.Await(ctx, params_.num_sections() - 1);
    if (head_ != embedding_) sink.Close(ctx, *head_);
    decoder_.CloseAll(ctx, sink);
    encoder_.CloseAll(ctx, sink);
    sink.Close(ctx, *embedding_);
    return {};
  }
  const Pass pass(batch, *this, loss.dropout > 0);
  Stack::Saved encoder_saved, decoder_saved;
  params_.Await(ctx, embedding_->section);
  Tensor memory = RunEncoder(ctx, pass, loss.dropout, &encoder_saved);
  Tensor hidden = RunDecoder(ctx, pass, memory, loss.dropout, &decoder_saved);

  const int64_t targets = batch.num_target_tokens();
  CHECK_EQ(static_cast<int64_t>(loss.token_weights.size()), targets);
  Tensor nll(ctx, {targets}, dims_.statistics()), log_z(ctx, {targets}, dims_.statistics());
  Tensor dhidden(ctx, hidden.shape(), dims_.compute);
  Fill(ctx, 0, Rows(dhidden.view(), targets, pass.target.num_tokens));
  params_.Await(ctx, head_->section);
  HeadLoss(ctx, Rows(hidden.view(), 0, targets), head(), batch.target_ids, loss.token_weights,
           HeadSpec(loss.z_loss), nll, log_z, Rows(dhidden.view(), 0, targets),
           sink.Open(ctx, *head_));
  if (head_ != embedding_) sink.Close(ctx, *head_);
  hidden.Reset();

  // As wide as the residual stream: a sum over layers, too.
  Tensor dmemory(ctx, memory.shape(), dims_.residual);
  Fill(ctx, 0, dmemory);
  Tensor dinput = decoder_.Backward(ctx, pass.axis->Sum(ctx, std::move(dhidden)),
                                    {.layout = &pass.target,
                                     .memory = memory,
                                     .memory_layout = &pass.source,
                                     .dropout = loss.dropout},
                                    options_.recompute, std::move(decoder_saved), dmemory, sink);
  memory.Reset();
  Tensor dsource = encoder_.Backward(ctx, pass.axis->Sum(ctx, std::move(dmemory)),
                                     {.layout = &pass.source, .dropout = loss.dropout},
                                     options_.recompute, std::move(encoder_saved), {}, sink);
  // Not earlier: the table's gradient is the largest of all, and a sink may free the others.
  const View dtable = sink.Open(ctx, *embedding_);
  EmbedBackward(ctx, std::move(dinput), pass.decoder_ids, pass.target, true, loss.dropout, dtable);
  EmbedBackward(ctx, std::move(dsource), pass.source_ids, pass.source, false, loss.dropout, dtable);
  sink.Close(ctx, *embedding_);
  return {ToDoubles(ctx, nll), ToDoubles(ctx, log_z)};
}

TokenLosses T5Model::Evaluate(Context& ctx, const Batch& batch) {
  const Pass pass(batch, *this, /*with_keys=*/false);
  const Tensor memory = RunEncoder(ctx, pass, 0, nullptr);
  const Tensor hidden = RunDecoder(ctx, pass, memory, 0, nullptr);
  const int64_t targets = batch.num_target_tokens();
  Tensor nll(ctx, {targets}, dims_.statistics()), log_z(ctx, {targets}, dims_.statistics());
  const std::vector<double> weights(static_cast<size_t>(targets), 0.0);
  HeadLoss(ctx, Rows(hidden.view(), 0, targets), head(), batch.target_ids, weights, HeadSpec(0),
           nll, log_z, {}, {});
  return {ToDoubles(ctx, nll), ToDoubles(ctx, log_z)};
}

Tensor T5Model::Encode(Context& ctx, const Batch& batch) {
  const Pass pass(batch, *this, /*with_keys=*/false);
  return RunEncoder(ctx, pass, 0, nullptr);
}

Tensor T5Model::Decode(Context& ctx, const Batch& batch) {
  const Pass pass(batch, *this, /*with_keys=*/false);
  const Tensor memory = RunEncoder(ctx, pass, 0, nullptr);
  return RunDecoder(ctx, pass, memory, 0, nullptr);
}

Tensor T5Model::Logits(Context& ctx, const Batch& batch) {
  const Tensor hidden = Decode(ctx, batch);
  return WholeLogits(ctx, Rows(hidden.view(), 0, batch.num_target_tokens()));
}

}  // namespace frond
