// Dropout whose mask is a pure function of (key, token, column): the same under recomputation,
// packing, micro-batching and on every mesh.
#pragma once

#include <cstdint>
#include <span>

#include "core/ops/matmul.h"
#include "core/tensor/tensor.h"

namespace frond {

// `rate` in [0, 1): the share of elements that become 0; the others are multiplied by 1 / (1 -
// rate). `key` is RngKey::At(site). `token_keys` [T] names each row of the tensor independently of
// where in the batch it stands. A rate of 0 needs no keys.
struct DropoutSpec {
  float rate = 0;
  uint64_t key = 0;
  std::span<const uint64_t> token_keys;
};

// y = dropout(x). x, y [T, d] of one dtype; y is assigned and may alias x. Its own gradient: dx =
// Dropout(dy).
void Dropout(Context& ctx, ConstView x, const DropoutSpec& spec, View y);

// out = residual + dropout(x). x [T, d]; residual and out [T, d] of one dtype, which may differ
// from x's (an f32 residual stream under bf16 compute); out is assigned and may alias residual.
void DropoutAdd(Context& ctx, ConstView x, const DropoutSpec& spec, ConstView residual, View out);

}  // namespace frond
