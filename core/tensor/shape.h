// Sizes of a contiguous, row-major tensor of rank 0 to 4.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <string>

namespace frond {

class Shape {
 public:
  static constexpr int kMaxRank = 4;

  Shape() = default;
  Shape(std::initializer_list<int64_t> dims);

  int rank() const { return rank_; }
  int64_t dim(int i) const;  // CHECKs 0 <= i < rank; negative i counts from the end
  int64_t num_elements() const;
  // Elements per row: the product of all dims but the first.
  int64_t row_size() const;
  void Append(int64_t dim);

  bool operator==(const Shape&) const = default;
  std::string ToString() const;  // "[3, 4]"

 private:
  std::array<int64_t, kMaxRank> dims_ = {};
  int rank_ = 0;
};

std::ostream& operator<<(std::ostream& out, const Shape& shape);

}  // namespace frond
