// Loops over elements in blocks of a fixed size, so that no result depends on the thread count.
#pragma once

#include <algorithm>
#include <cstdint>

namespace frond::cpu {

inline constexpr int64_t kBlock = 4096;

// Calls `function(begin, end)` for every block of [0, n), in parallel.
template <class Function>
void ForBlocks(int64_t n, const Function& function) {
  const int64_t blocks = (n + kBlock - 1) / kBlock;
#pragma omp parallel for schedule(static) if (blocks > 4)
  for (int64_t b = 0; b < blocks; ++b) function(b * kBlock, std::min(n, (b + 1) * kBlock));
}

}  // namespace frond::cpu
