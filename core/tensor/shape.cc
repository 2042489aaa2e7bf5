#include "core/tensor/shape.h"

#include "core/base/check.h"

namespace frond {

Shape::Shape(std::initializer_list<int64_t> dims) {
  for (const int64_t dim : dims) Append(dim);
}

void Shape::Append(int64_t dim) {
  CHECK_LT(rank_, kMaxRank);
  CHECK_GE(dim, 0);
  dims_[rank_++] = dim;
}

int64_t Shape::dim(int i) const {
  if (i < 0) i += rank_;
  CHECK(i >= 0 && i < rank_) << "dim " << i << " of shape " << ToString();
  return dims_[i];
}

int64_t Shape::num_elements() const {
  int64_t product = 1;
  for (int i = 0; i < rank_; ++i) product *= dims_[i];
  return product;
}

int64_t Shape::row_size() const {
  CHECK_GT(rank_, 0);
  int64_t product = 1;
  for (int i = 1; i < rank_; ++i) product *= dims_[i];
  return product;
}

std::string Shape::ToString() const {
  std::string text = "[";
  for (int i = 0; i < rank_; ++i) text += (i == 0 ? "" : ", ") + std::to_string(dims_[i]);
  return text + "]";
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << shape.ToString(); }

}  // namespace frond
