// An encoder-decoder T5 v1.1 / mT5 with its head: loss and gradients of a batch without padding.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "core/nn/grad_sink.h"
#include "core/ops/embedding.h"
#include "core/ops/head_loss.h"
#include "data/batch.h"
#include "models/t5/stack.h"

namespace frond {

struct T5Options {
  DType compute = DType::kF32;                  // kF64 in tests
  bool f32_residual = false;                    // residual stream in f32 under bf16 compute
  bool f32_activations = false;                 // and what norms, attention and gates read
  MasterFormat masters = MasterFormat::kWhole;  // others under bf16 compute
  RecomputePlan recompute;
  // Of passes over whole targets; decoding token by token is always ours. What is not kFrond must
  // be something that CheckCudnnAttention said yes to.
  AttentionEngine cross_attention = AttentionEngine::kFrond;
  TensorAxis tensor;  // how ranks share the model; its size divides heads, d_ff and vocabulary
  AxisPlace shards;   // of the masters (core/nn/param.h)

  // The dtypes of what attention and gates read, and of the stream that blocks add to.
  DType projected() const { return WideIf(f32_activations); }
  DType residual() const { return WideIf(f32_residual || f32_activations); }
  DType WideIf(bool wide) const { return wide && compute == DType::kBF16 ? DType::kF32 : compute; }
};

// What one pass of the head gives per target token.
struct TokenLosses {
  std::vector<double> nll;    // -log p(target), natural logarithm
  std::vector<double> log_z;  // log of the softmax's normaliser
};

class T5Model {
 public:
  T5Model(const T5Config& config, const T5Options& options);
  T5Model(const T5Model&) = delete;  // the blocks point into the model
  T5Model& operator=(const T5Model&) = delete;

  const T5Config& config() const { return config_; }
  const T5Options& options() const { return options_; }
  ParamStore& params() { return params_; }
  const ParamStore& params() const { return params_; }

  // How the loss of a pass is formed: sum_t token_weights[t] (nll[t] + z_loss log_z[t]^2).
  struct LossInput {
    std::span<const double> token_weights;  // [target tokens], divided by the global normaliser
    double z_loss = 0;
    float dropout = 0;  // keyed by ctx.rng and the batch's example keys
  };

  // Passes are collective over the tensor axis, whose ranks are given equal batches and get equal
  // losses.

  // Losses and all gradients of one micro-batch, added to the sink. An empty batch adds none, but
  // closes the parameters in the same order.
  TokenLosses ForwardBackward(Context& ctx, const Batch& batch, const LossInput& loss,
                              GradSink& sink);
  // Losses only, without dropout.
  TokenLosses Evaluate(Context& ctx, const Batch& batch);

  // The encoder's output [source tokens, d_model] in T5Options::compute, without dropout.
  // Rows beyond the batch's tokens may follow and mean nothing.
  Tensor Encode(Context& ctx, const Batch& batch);
  // The decoder's output [target tokens, d_model], teacher-forced; else as Encode.
  Tensor Decode(Context& ctx, const Batch& batch);
  // Teacher-forced logits [target tokens, vocab] f32 (f64): small batches only (tests, parity
  // checks).
  Tensor Logits(Context& ctx, const Batch& batch);

  // The parts that decoding with a cache uses.
  const Stack& decoder() const { return decoder_; }
  const BlockDims& dims() const { return dims_; }
  // The embedded input [n, d_model] in the residual dtype: this rank's own rows of it.
  Tensor EmbedTokens(Context& ctx, std::span<const int32_t> ids, const TensorAxis& axis) const;
  // The logits [n, vocab] f32 (f64) of the decoder's output `hidden` [n, d_model].
  Tensor WholeLogits(Context& ctx, ConstView hidden) const;

 private:
  struct Pass;  // token layouts of a batch
  HeadWeight head() const;
  double head_scale() const;
  // The ids whose rows of the tables this rank holds.
  VocabularyPart vocabulary_part() const;
  HeadLossSpec HeadSpec(double z_loss) const;
  Tensor EmbedInput(Context& ctx, std::span<const int32_t> ids, const TokenLayout& layout,
                    bool is_decoder, float dropout) const;
  void EmbedBackward(Context& ctx, Tensor dx, std::span<const int32_t> ids,
                     const TokenLayout& layout, bool is_decoder, float dropout, View dtable) const;
  Tensor RunEncoder(Context& ctx, const Pass& pass, float dropout, Stack::Saved* keep);
  Tensor RunDecoder(Context& ctx, const Pass& pass, ConstView memory, float dropout,
                    Stack::Saved* keep);

  T5Config config_;
  T5Options options_;
  BlockDims dims_;
  ParamStore params_;
  Param* embedding_;  // shared.weight [vocab, d_model], read by encoder and decoder
  Stack encoder_;
  Stack decoder_;
  Param* head_;  // lm_head.weight [vocab, d_model], or the embedding where tied
};

// Decoder inputs of a batch: every segment's targets shifted right behind `start`.
std::vector<int32_t> ShiftRight(const Batch& batch, int32_t start);

}  // namespace frond
