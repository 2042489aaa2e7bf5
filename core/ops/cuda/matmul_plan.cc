#include "core/ops/cuda/matmul_plan.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/base/hash.h"
#include "core/ops/rounded_size.h"

namespace frond::cuda {
namespace {

// The transpose of a stored row-major [rows, columns] matrix whose rows are `pitch` apart.
ColumnMajor Transposed(int64_t rows, int64_t columns, int64_t pitch) {
  return {.rows = columns, .columns = rows, .leading = pitch};
}
ColumnMajor Transposed(int64_t rows, int64_t columns) { return Transposed(rows, columns, columns); }

}  // namespace

size_t ProductKeyHash::operator()(const ProductKey& key) const { return Hash64(key.bytes()); }

uint8_t AlignmentOf(const void* address) {
  const auto bits = reinterpret_cast<uintptr_t>(address) | 16;
  return static_cast<uint8_t>(bits & (~bits + 1));
}

ProductKey Rounded(const ProductKey& key) {
  ProductKey rounded = key;
  rounded.m = RoundedSize(key.m);
  rounded.n = RoundedSize(key.n);
  rounded.k = RoundedSize(key.k);
  return rounded;
}

ColumnMajorProduct ToColumnMajor(const ProductKey& key) {
  const bool across_a = key.trans_a == Trans::kYes, across_b = key.trans_b == Trans::kYes;
  return {.trans_left = key.trans_b,
          .trans_right = key.trans_a,
          .left = Transposed(across_b ? key.n : key.k, across_b ? key.k : key.n),
          .right = Transposed(across_a ? key.k : key.m, across_a ? key.m : key.k, key.a_pitch),
          .result = Transposed(key.m, key.n)};
}

int64_t LeastComparedElements(DType result) {
  return result == DType::kBF16 ? int64_t{1} << 20 : int64_t{1} << 8;
}

int ChooseAlgorithm(std::span<const MeasuredAlgorithm> measured) {
  CHECK(!measured.empty());
  int best = 0;
  for (int i = 1; i < static_cast<int>(measured.size()); ++i) {
    const MeasuredAlgorithm& algorithm = measured[static_cast<size_t>(i)];
    if (!algorithm.same_result) continue;
    if (algorithm.seconds < measured[static_cast<size_t>(best)].seconds) best = i;
  }
  return best;
}

}  // namespace frond::cuda
