// The architecture of a T5 v1.1 or mT5 model (Raffel et al., 2020; Xue et al., 2021).
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace frond {

struct T5Config {
  int64_t vocab_size = 250112;
  int64_t d_model = 512;
  int64_t d_kv = 64;  // size of one attention head
  int64_t d_ff = 1024;
  int64_t num_heads = 6;
  int64_t num_layers = 8;
  int64_t num_decoder_layers = 8;
  int64_t relative_attention_num_buckets = 32;
  int64_t relative_attention_max_distance = 128;
  float layer_norm_epsilon = 1e-6f;
  float dropout_rate = 0.1f;
  bool tied_head = false;             // the head reuses the embedding
  bool scale_decoder_output = false;  // by d_model^-0.5 before the head (tied T5, never mT5)
  int32_t pad_token_id = 0;
  int32_t eos_token_id = 1;
  int32_t decoder_start_token_id = 0;
  std::string model_type = "mt5";  // "mt5" or "t5"

  int64_t inner_dim() const { return num_heads * d_kv; }
};

// mt5-small ... mt5-xxl and t5-v1_1-small ... t5-v1_1-xxl. An unknown name is answered with the
// nearest one.
absl::StatusOr<T5Config> T5Preset(absl::string_view name);

// Checks that all sizes are positive and the vocabulary holds the special ids.
absl::Status ValidateT5Config(const T5Config& config);

// Checks that `ranks` ranks can share the model: heads, d_ff and vocabulary split evenly.
absl::Status CheckTensorAxis(const T5Config& config, int64_t ranks);

// Reads and writes Hugging Face's config.json. Reading refuses what this implementation does not
// compute (ungated or non-GELU feed-forward layers, other model types); `origin` names the file in
// errors.
absl::StatusOr<T5Config> T5ConfigFromJson(absl::string_view json, absl::string_view origin);
std::string T5ConfigToJson(const T5Config& config);

// Exact number of parameters.
int64_t T5ParameterCount(const T5Config& config);

// Exact floating-point operations of one example's forward pass with `source` and `target` tokens:
// every matrix product, attention counted in full (the causal half is not taken off), embedding
// look-ups as 0. Training takes three times as many.
double T5ForwardFlops(const T5Config& config, int64_t source, int64_t target);

}  // namespace frond
