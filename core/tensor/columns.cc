#include "core/tensor/columns.h"

#include <type_traits>

namespace frond {
namespace {

template <class Result, class Borrowed>
Result SliceColumns(Borrowed matrix, int64_t begin, int64_t end) {
  const int64_t pitch = matrix.shape.row_size();
  CHECK(0 <= begin && begin <= end && end <= pitch)
      << "columns [" << begin << ", " << end << ") of " << matrix.shape;
  using Byte = std::conditional_t<std::is_same_v<Borrowed, View>, char, const char>;
  const int64_t offset = begin * static_cast<int64_t>(DTypeSize(matrix.dtype));
  return {static_cast<Byte*>(matrix.data) + offset, matrix.dim(0), end - begin, pitch,
          matrix.dtype};
}

}  // namespace

Columns ColumnsOf(View matrix, int64_t begin, int64_t end) {
  return SliceColumns<Columns>(matrix, begin, end);
}
ConstColumns ColumnsOf(ConstView matrix, int64_t begin, int64_t end) {
  return SliceColumns<ConstColumns>(matrix, begin, end);
}

void CheckSameShape(ConstColumns a, ConstColumns b) {
  CHECK_EQ(a.shape(), b.shape());
  CHECK(a.dtype == b.dtype) << DTypeName(a.dtype) << " and " << DTypeName(b.dtype);
}

void CheckSameLayout(ConstColumns a, ConstColumns b) {
  CheckSameShape(a, b);
  CHECK_EQ(a.pitch, b.pitch);
}

void CheckSameShapeOrNarrower(ConstColumns a, ConstColumns b) {
  CHECK_EQ(a.shape(), b.shape());
  CHECK(a.dtype == b.dtype || (a.dtype == DType::kBF16 && b.dtype == DType::kF32))
      << DTypeName(a.dtype) << " and " << DTypeName(b.dtype);
}

void CheckSameLayoutOrNarrower(ConstColumns a, ConstColumns b) {
  CheckSameShapeOrNarrower(a, b);
  CHECK_EQ(a.pitch, b.pitch);
}

}  // namespace frond
