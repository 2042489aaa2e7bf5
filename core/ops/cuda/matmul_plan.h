// What a GPU matrix product is, without a CUDA type: the key of its plan, its operands as cuBLAS
// sees them, and the choice among measured algorithms.
#pragma once

#include <cstdint>
#include <span>

#include "absl/strings/string_view.h"
#include "core/ops/matmul.h"
#include "core/tensor/dtype.h"

namespace frond::cuda {

// d = op(a) op(b) (+ c) of row-major matrices: op(a) [m, k], op(b) [k, n], c and d [m, n]. Compared
// and hashed as bytes, so it has no padding.
struct ProductKey {
  int64_t m = 0, n = 0, k = 0;
  int64_t a_pitch = 0;  // elements from one row of the stored a to the next
  DType operand = DType::kF32, result = DType::kF32;
  Trans trans_a = Trans::kNo, trans_b = Trans::kNo;
  Write mode = Write::kAssign;  // kAccumulate: c is added
  // The largest powers of two, up to 16, that divide the addresses.
  uint8_t a_alignment = 16, b_alignment = 16, c_alignment = 16, d_alignment = 16;
  uint8_t unused[7] = {};

  absl::string_view bytes() const { return {reinterpret_cast<const char*>(this), sizeof(*this)}; }
  bool operator==(const ProductKey& other) const { return bytes() == other.bytes(); }
  int64_t result_bytes() const { return m * n * static_cast<int64_t>(DTypeSize(result)); }
};
static_assert(sizeof(ProductKey) == 48);

struct ProductKeyHash {
  size_t operator()(const ProductKey& key) const;
};

uint8_t AlignmentOf(const void* address);

// The key with its sizes rounded up to quarters of a power of two. Token counts differ from step to
// step; products whose rounded keys agree may share what was measured.
ProductKey Rounded(const ProductKey& key);

// A stored column-major matrix.
struct ColumnMajor {
  int64_t rows, columns;
  int64_t leading;  // elements from one column to the next
};

// The product in cuBLAS's terms: result = op(left) op(right), all column-major. A row-major matrix
// is its own transpose there, so the operands change places and nothing is moved.
struct ColumnMajorProduct {
  Trans trans_left, trans_right;
  ColumnMajor left;    // b of the key
  ColumnMajor right;   // a of the key
  ColumnMajor result;  // c and d
};
ColumnMajorProduct ToColumnMajor(const ProductKey& key);

// One algorithm that was tried. `same_result`: its result had the bits of the first one's.
struct MeasuredAlgorithm {
  float seconds = 0;
  bool same_result = false;
};

// How many elements a result must have for equal bits to show that two algorithms add in one order:
// another order changes most elements of an f32 result, but only about one in 10^4 after rounding
// to bf16.
int64_t LeastComparedElements(DType result);

// The fastest algorithm among those that give the first one's result: measured times differ from
// run to run, and with this rule the numbers do not.
int ChooseAlgorithm(std::span<const MeasuredAlgorithm> measured);

}  // namespace frond::cuda
