// Master weights: what is kept of a weight between steps, in one of three formats.
#pragma once

#include <cstdint>

#include "core/tensor/tensor.h"

namespace frond {

// How a store keeps its weights between steps; MasterView says what each consists of.
enum class MasterFormat : uint8_t { kWhole, kSplit, kStochastic };

// One of
//   value f32 (or f64)          the weight itself
//   value bf16, low i16         its halves (core/tensor/float_halves.h): together the f32 bits
//   value bf16, low without data    bf16 alone, which updates round stochastically
// In the last two, `value` is what bf16 products and look-ups read.
struct MasterView {
  View value;
  View low = {};

  bool is_split() const { return low.data != nullptr; }
  size_t bytes() const { return value.bytes() + (is_split() ? low.bytes() : 0); }
  // Of the numbers that the format can hold: f32 for halves.
  DType exact_dtype() const { return is_split() ? DType::kF32 : value.dtype; }
};

// The numbers that a part's elements have in the whole weight: element i is number
// first + i / cols * whole_cols + i % cols. The default is a part that lies contiguous in the
// whole.
struct ElementNumbers {
  int64_t first = 0;
  int64_t cols = 1;        // of a row of the part,
  int64_t whole_cols = 1;  // and of the whole weight

  bool AreContiguous() const { return cols == whole_cols; }
};

// Elements [first, first + count) in one dim.
MasterView Slice(const MasterView& master, int64_t first, int64_t count);

// x = the weight. x has as many elements; f32, or f64 where the master is f64.
void ReadMaster(Context& ctx, const MasterView& master, View x);

// The weight becomes x, of the same dtypes: exactly, or, where it is bf16 alone, rounded to nearest
// with halves away from zero, as the high half of a split weight is.
void WriteMaster(Context& ctx, ConstView x, const MasterView& master);

// y bf16 = x f32, rounded up or down at random so that the expectation of y is x. An element
// draws the bits that `key` has for its number: a pure function of these, the same on every device.
// Infinities and NaN stay what they are.
void CastStochastic(Context& ctx, ConstView x, uint64_t key, const ElementNumbers& numbers, View y);

}  // namespace frond
