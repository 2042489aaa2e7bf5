// What a GPU matrix product is, without a CUDA type: the key of its plan, its operands as cuBLAS
// sees them, and the choice among measured algorithms.
#pragma once

#include <cstdint>
#include <span>

#include "absl/strings/string_view.h"
#include "core/ops/matmul.h"
#include "core/tensor/dtype.h"

namespace frond::cuda {

// `count` products d = op(a) op(b) (+ c) of row-major matrices: op(a) [m, k], op(b) [k, n], c and d
// [m, n]. Compared and hashed as bytes, so it has no padding.
struct ProductKey {
  int64_t m = 0, n = 0, k = 0;
  // Elements from one product's operand to the next one's; 0 where all share it.
  int64_t a_stride = 0, b_stride = 0, d_stride = 0;
  int32_t count = 1;
  DType operand = DType::kF32, result = DType::kF32;
  Trans trans_a = Trans::kNo, trans_b = Trans::kNo;
  Write mode = Write::kAssign;  // kAccumulate: c is added
  // The largest powers of two, up to 16, that divide the addresses.
  uint8_t a_alignment = 16, b_alignment = 16, c_alignment = 16, d_alignment = 16;
  uint8_t unused[3] = {};

  absl::string_view bytes() const { return {reinterpret_cast<const char*>(this), sizeof(*this)}; }
  bool operator==(const ProductKey& other) const { return bytes() == other.bytes(); }
  int64_t result_bytes() const { return count * m * n * static_cast<int64_t>(DTypeSize(result)); }
};
static_assert(sizeof(ProductKey) == 64);

struct ProductKeyHash {
  size_t operator()(const ProductKey& key) const;
};

uint8_t AlignmentOf(const void* address);

// A stored column-major matrix.
struct ColumnMajor {
  int64_t rows, columns;
  int64_t leading;  // elements from one column to the next
  int64_t stride;   // elements from one product's to the next one's
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

// The fastest algorithm among those that give the first one's result: measured times differ from
// run to run, and with this rule the numbers do not.
int ChooseAlgorithm(std::span<const MeasuredAlgorithm> measured);

}  // namespace frond::cuda
