#include "core/tensor/tensor.h"

#include <type_traits>
#include <utility>

namespace frond {
namespace {

template <class Borrowed>
Borrowed SliceRows(Borrowed v, int64_t begin, int64_t end) {
  CHECK(0 <= begin && begin <= end && end <= v.dim(0))
      << "rows [" << begin << ", " << end << ") of " << v.shape;
  using Byte = std::conditional_t<std::is_same_v<Borrowed, View>, char, const char>;
  const int64_t row_bytes = v.shape.row_size() * static_cast<int64_t>(DTypeSize(v.dtype));
  Shape shape{end - begin};
  for (int i = 1; i < v.shape.rank(); ++i) shape.Append(v.dim(i));
  return {static_cast<Byte*>(v.data) + begin * row_bytes, shape, v.dtype};
}

}  // namespace

Tensor::Tensor(Context& ctx, Shape shape, DType dtype, MemoryKind kind) : memory_(&ctx.memory()) {
  const size_t bytes = static_cast<size_t>(shape.num_elements()) * DTypeSize(dtype);
  view_ = {memory_->Allocate(bytes, kind), shape, dtype};
}

Tensor Tensor::PartOf(Tensor& whole, int64_t begin, int64_t end) {
  Tensor part;
  part.memory_ = whole.memory_;
  part.view_ = Rows(whole.view_, begin, end);
  part.is_part_ = true;
  return part;
}

Tensor::Tensor(Tensor&& other) noexcept
    : memory_(std::exchange(other.memory_, nullptr)),
      view_(std::exchange(other.view_, {})),
      is_part_(other.is_part_) {}

Tensor& Tensor::operator=(Tensor&& other) noexcept {
  if (this != &other) {
    Reset();
    memory_ = std::exchange(other.memory_, nullptr);
    view_ = std::exchange(other.view_, {});
    is_part_ = other.is_part_;
  }
  return *this;
}

void Tensor::Reset() {
  if (memory_ != nullptr && !is_part_) memory_->Free(view_.data);
  memory_ = nullptr;
  view_ = {};
}

View Rows(View v, int64_t begin, int64_t end) { return SliceRows(v, begin, end); }
ConstView Rows(ConstView v, int64_t begin, int64_t end) { return SliceRows(v, begin, end); }

View Reshape(View v, Shape shape) {
  CHECK_EQ(v.num_elements(), shape.num_elements());
  return {v.data, shape, v.dtype};
}
ConstView Reshape(ConstView v, Shape shape) {
  CHECK_EQ(v.num_elements(), shape.num_elements());
  return {v.data, shape, v.dtype};
}

}  // namespace frond
