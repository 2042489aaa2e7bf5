#include "eval/bootstrap.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/base/check.h"
#include "core/base/philox.h"

namespace frond {

void DrawCounts(std::span<const int64_t> sizes, uint64_t key, uint64_t draw,
                std::span<int32_t> counts) {
  std::fill(counts.begin(), counts.end(), 0);
  size_t begin = 0;
  uint64_t used = 0;  // random words so far
  std::array<uint32_t, 4> words = {};
  for (const int64_t size : sizes) {
    CHECK_LE(begin + static_cast<size_t>(size), counts.size());
    CHECK_LT(size, int64_t{1} << 32);
    for (int64_t i = 0; i < size; ++i, ++used) {
      if (used % words.size() == 0) words = Philox(key, used / words.size(), draw);
      // The high half of word * size: each item has probability 1 / size within 2^-32.
      const uint64_t item = (words[used % words.size()] * static_cast<uint64_t>(size)) >> 32;
      ++counts[begin + item];
    }
    begin += static_cast<size_t>(size);
  }
}

double Quantile(std::vector<double> values, double q) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  CHECK(q >= 0 && q <= 1) << "a quantile at " << q;
  std::sort(values.begin(), values.end());
  const double place = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (place - static_cast<double>(below)) * (values[above] - values[below]);
}

Interval PercentileInterval(std::vector<double> draws, double confidence) {
  std::erase_if(draws, [](double draw) { return std::isnan(draw); });
  const double tail = (1 - confidence) / 2;
  return {.low = Quantile(draws, tail), .high = Quantile(draws, 1 - tail)};
}

}  // namespace frond
