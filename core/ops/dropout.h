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
// where in the batch it stands. A rate of 0 needs no keys. `first_column`: of the whole tensor, the
// column that column 0 of x is, where columns are split over ranks; the mask is the whole tensor's.
struct DropoutSpec {
  float rate = 0;
  uint64_t key = 0;
  std::span<const uint64_t> token_keys;
  int64_t first_column = 0;
};

// Whether dropout keeps (token, column of the whole tensor). The draw is 16 bits of Philox: counter
// (token_key, group) with group = 16 (column / 128) + column % 16; its half word number (column %
// 128) / 16, counted from the low half of word 0. The element is kept where the draw is at least
// DropoutThreshold.
bool DropoutKeeps(uint64_t key, uint64_t token_key, int64_t column, float rate);

// round(65536 rate): draws below it are dropped.
uint32_t DropoutThreshold(float rate);

// y = dropout(x). x, y [T, d] of one dtype; y is assigned and may alias x. Its own gradient: dx =
// Dropout(dy).
void Dropout(Context& ctx, ConstView x, const DropoutSpec& spec, View y);

// out = residual + dropout(x). x [T, d]; residual and out [T, d] of one dtype, which may differ
// from x's (an f32 residual stream under bf16 compute); out is assigned and may alias residual.
void DropoutAdd(Context& ctx, ConstView x, const DropoutSpec& spec, ConstView residual, View out);

}  // namespace frond
