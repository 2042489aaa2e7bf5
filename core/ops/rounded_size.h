// Sizes rounded up, so that those that differ a little share what is prepared for a size.
#pragma once

#include <cstdint>

namespace frond {

// `size` > 0 rounded up to quarters of a power of two: by less than a quarter, and not up to 8.
constexpr int64_t RoundedSize(int64_t size) {
  int64_t step = 1;
  while (8 * step < size) step *= 2;
  return (size + step - 1) / step * step;
}

}  // namespace frond
