// Tensor owns memory and moves; View and ConstView borrow it for a call.
//
// All are contiguous and row-major. A Tensor's life is its memory's life: passing one by value into
// a function says "this is freed there".
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/check.h"
#include "core/tensor/context.h"
#include "core/tensor/dtype.h"
#include "core/tensor/shape.h"

namespace frond {

// Borrowed memory that is only read.
struct ConstView {
  const void* data = nullptr;
  Shape shape;
  DType dtype = DType::kF32;

  template <class T>
  const T* As() const {
    CHECK(DTypeOf<T>::kValue == dtype) << "view holds " << DTypeName(dtype);
    return static_cast<const T*>(data);
  }
  int64_t dim(int i) const { return shape.dim(i); }
  int64_t num_elements() const { return shape.num_elements(); }
  size_t bytes() const { return static_cast<size_t>(num_elements()) * DTypeSize(dtype); }
};

// Borrowed memory that is written. Never stored beyond a call unless its owner is named beside it.
struct View {
  void* data = nullptr;
  Shape shape;
  DType dtype = DType::kF32;

  operator ConstView() const { return {data, shape, dtype}; }
  template <class T>
  T* As() const {
    CHECK(DTypeOf<T>::kValue == dtype) << "view holds " << DTypeName(dtype);
    return static_cast<T*>(data);
  }
  int64_t dim(int i) const { return shape.dim(i); }
  int64_t num_elements() const { return shape.num_elements(); }
  size_t bytes() const { return static_cast<size_t>(num_elements()) * DTypeSize(dtype); }
};

class Tensor {
 public:
  Tensor() = default;  // empty: no memory
  // Memory is not initialised.
  Tensor(Context& ctx, Shape shape, DType dtype, MemoryKind kind = MemoryKind::kActivations);
  ~Tensor() { Reset(); }
  Tensor(Tensor&& other) noexcept;
  Tensor& operator=(Tensor&& other) noexcept;
  Tensor(const Tensor&) = delete;
  Tensor& operator=(const Tensor&) = delete;

  const Shape& shape() const { return view_.shape; }
  DType dtype() const { return view_.dtype; }
  bool empty() const { return view_.data == nullptr; }
  size_t bytes() const { return view_.bytes(); }
  // Rows [begin, end) of `whole`, which outlives it and keeps the memory.
  static Tensor PartOf(Tensor& whole, int64_t begin, int64_t end);

  // What the memory was taken from; null where empty.
  Allocator* memory() const { return memory_; }
  template <class T>
  T* As() {
    return view_.As<T>();
  }
  template <class T>
  const T* As() const {
    return view_.As<T>();
  }

  View view() { return view_; }
  ConstView view() const { return view_; }
  operator View() { return view_; }
  operator ConstView() const { return view_; }

  // Frees the memory now, unless it is another tensor's.
  void Reset();

 private:
  Allocator* memory_ = nullptr;
  View view_;
  bool is_part_ = false;
};

// Rows [begin, end) of the first dim: the only slicing, since it stays contiguous.
View Rows(View v, int64_t begin, int64_t end);
ConstView Rows(ConstView v, int64_t begin, int64_t end);
// The same memory with another shape of as many elements.
View Reshape(View v, Shape shape);
ConstView Reshape(ConstView v, Shape shape);

}  // namespace frond
