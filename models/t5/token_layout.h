// How one side (source or target) of a batch lies in memory, and the dropout of a training pass.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/ops/dropout.h"
#include "core/tensor/context.h"
#include "dist/tensor_axis.h"

namespace frond {

// Segments (examples) laid end to end; token t of the batch has key token_keys[t], which depends on
// the example and the position inside it only.
struct TokenLayout {
  std::span<const int32_t> begin;  // [segments]
  std::span<const int32_t> end;
  std::span<const uint64_t> token_keys;  // [tokens]; may be empty without dropout
  int64_t num_tokens = 0;
  // How ranks share the activations of these tokens; outlives the layout.
  const TensorAxis* axis = &kOneRank;

  // Keys of this rank's own rows between blocks.
  std::span<const uint64_t> own_token_keys() const {
    if (token_keys.empty()) return token_keys;
    return token_keys.subspan(static_cast<size_t>(axis->OwnBegin(num_tokens)),
                              static_cast<size_t>(axis->Own(num_tokens)));
  }

  static const TensorAxis kOneRank;
};
inline const TensorAxis TokenLayout::kOneRank;

// Dropout sites of the model: a stable number for every place that draws random bits.
enum class DropoutPlace : uint32_t {
  kInput,
  kSelfProbs,
  kSelf,
  kCrossProbs,
  kCross,
  kGate,
  kFeedForward,
  kOutput
};

inline uint32_t DropoutSite(bool is_decoder, int layer, DropoutPlace place) {
  return (is_decoder ? 1u << 20 : 0u) + (static_cast<uint32_t>(layer) << 4) +
         static_cast<uint32_t>(place);
}

// Dropout of `rate` at one place, on this rank's own rows; no dropout where rate is 0.
inline DropoutSpec DropoutAt(const Context& ctx, float rate, uint32_t site,
                             const TokenLayout& layout) {
  return {.rate = rate, .key = ctx.rng.At(site), .token_keys = layout.own_token_keys()};
}

}  // namespace frond
