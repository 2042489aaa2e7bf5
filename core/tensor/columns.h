// Some neighbouring columns of a matrix, borrowed for a call: rows are contiguous, and the next one
// begins `pitch` elements further on. A whole matrix is one of all its columns.
//
// Products that share their input write one wide result side by side (core/nn/linear.h);
// what reads a part of it takes columns.
#pragma once

#include "core/tensor/tensor.h"

namespace frond {

struct ConstColumns {
  const void* data = nullptr;
  int64_t rows = 0, columns = 0;
  int64_t pitch = 0;  // elements, at least `columns`
  DType dtype = DType::kF32;

  ConstColumns() = default;
  ConstColumns(const void* first, int64_t num_rows, int64_t num_columns, int64_t row_pitch,
               DType type)
      : data(first), rows(num_rows), columns(num_columns), pitch(row_pitch), dtype(type) {}
  // All columns of a tensor; dims after the first are a row's.
  ConstColumns(ConstView matrix)
      : ConstColumns(matrix.data, matrix.dim(0), matrix.shape.row_size(), matrix.shape.row_size(),
                     matrix.dtype) {}
  ConstColumns(View matrix) : ConstColumns(ConstView(matrix)) {}
  ConstColumns(const Tensor& matrix) : ConstColumns(matrix.view()) {}

  template <class T>
  const T* As() const {
    CHECK(DTypeOf<T>::kValue == dtype) << "columns hold " << DTypeName(dtype);
    return static_cast<const T*>(data);
  }
  Shape shape() const { return {rows, columns}; }
  bool is_dense() const { return pitch == columns; }
  int64_t num_elements() const { return rows * columns; }
};

struct Columns {
  void* data = nullptr;
  int64_t rows = 0, columns = 0;
  int64_t pitch = 0;
  DType dtype = DType::kF32;

  Columns() = default;
  Columns(void* first, int64_t num_rows, int64_t num_columns, int64_t row_pitch, DType type)
      : data(first), rows(num_rows), columns(num_columns), pitch(row_pitch), dtype(type) {}
  Columns(View matrix)
      : Columns(matrix.data, matrix.dim(0), matrix.shape.row_size(), matrix.shape.row_size(),
                matrix.dtype) {}
  Columns(Tensor& matrix) : Columns(matrix.view()) {}

  operator ConstColumns() const { return {data, rows, columns, pitch, dtype}; }
  template <class T>
  T* As() const {
    CHECK(DTypeOf<T>::kValue == dtype) << "columns hold " << DTypeName(dtype);
    return static_cast<T*>(data);
  }
  Shape shape() const { return {rows, columns}; }
  bool is_dense() const { return pitch == columns; }
  int64_t num_elements() const { return rows * columns; }
};

// Columns [begin, end) of a matrix.
Columns ColumnsOf(View matrix, int64_t begin, int64_t end);
ConstColumns ColumnsOf(ConstView matrix, int64_t begin, int64_t end);

// CHECKs that both have one shape and dtype.
void CheckSameShape(ConstColumns a, ConstColumns b);
// And that their rows lie alike: one pitch.
void CheckSameLayout(ConstColumns a, ConstColumns b);
// As these, but `a` may also be bf16 where `b` is f32: what an op reads and what it gives.
void CheckSameShapeOrNarrower(ConstColumns a, ConstColumns b);
void CheckSameLayoutOrNarrower(ConstColumns a, ConstColumns b);

}  // namespace frond
