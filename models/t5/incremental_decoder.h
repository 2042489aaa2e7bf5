// The decoder one token at a time, with cached keys and values.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/t5/t5_model.h"

namespace frond {

class IncrementalDecoder {
 public:
  // Collective over the model's tensor axis, as Step is, whose ranks pass the same.
  // Prepares decoding behind every source of the batch, for at most `max_tokens` tokens each. Runs
  // the encoder. The model outlives the decoder.
  IncrementalDecoder(Context& ctx, T5Model& model, const Batch& sources, int64_t max_tokens);

  int64_t num_sequences() const { return num_sequences_; }
  int64_t position() const { return position_; }  // tokens fed so far

  // Feeds one token to each of the `active` sequences (indices into the batch) and returns the
  // logits of the next ones, [active, vocab] f32 (f64). A sequence that was left out of a step may
  // not come back. Repeated work (core/tensor/repeated_work.h), unless the axis has several ranks.
  Tensor Step(Context& ctx, std::span<const int32_t> active, std::span<const int32_t> ids);

 private:
  struct LayerCache {
    // Keys and values side by side.
    Tensor self_kv;   // [sequences * max_tokens, 2 inner]
    Tensor cross_kv;  // [source tokens, 2 inner]
  };
  // Segments of one query per active sequence over its cached keys.
  struct Segments {
    std::vector<int32_t> query_begin, query_end, key_begin, key_end;
  };
  Segments SelfSegments(std::span<const int32_t> active) const;
  Segments CrossSegments(std::span<const int32_t> active) const;
  // Step at this position.
  Tensor Logits(Context& ctx, std::span<const int32_t> active, std::span<const int32_t> ids);
  void SelfAttention(Context& ctx, const AttentionBlock& block, LayerCache& cache,
                     std::span<const int32_t> active, View x) const;
  void CrossAttention(Context& ctx, const AttentionBlock& block, const LayerCache& cache,
                      std::span<const int32_t> active, View x) const;
  // x += o(attention(q, keys and values of kv)).
  void Attend(Context& ctx, const AttentionBlock& block, ConstColumns q, ConstView kv,
              const Segments& segments, ConstView bias, View x) const;

  T5Model& model_;
  TensorAxis axis_;  // a step has fewer rows than there may be ranks
  int64_t num_sequences_;
  int64_t max_tokens_;
  int64_t position_ = 0;
  std::vector<int32_t> source_offsets_;
  std::vector<LayerCache> layers_;
};

}  // namespace frond
