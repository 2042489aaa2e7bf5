#include "core/ops/cpu/master_run.h"

#include <algorithm>

#include "core/ops/cpu/vector_clones.h"
#include "core/tensor/float_halves.h"

namespace frond::cpu {
namespace {

constexpr int64_t kGroups = 128;  // at most, of eight elements that share random bits

FROND_VECTOR_CLONES void Split(const float* __restrict x, int64_t n, uint16_t* __restrict high,
                               int16_t* __restrict low) {
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t bits = std::bit_cast<uint32_t>(x[i]);
    high[i] = HighHalf(bits);
    low[i] = LowHalf(bits);
  }
}

FROND_VECTOR_CLONES void Round(const float* __restrict x, int64_t n, uint16_t* __restrict high) {
  for (int64_t i = 0; i < n; ++i) high[i] = HighHalf(std::bit_cast<uint32_t>(x[i]));
}

FROND_VECTOR_CLONES void Join(const uint16_t* __restrict high, const int16_t* __restrict low,
                              int64_t n, float* __restrict x) {
  for (int64_t i = 0; i < n; ++i) x[i] = std::bit_cast<float>(JoinHalves(high[i], low[i]));
}

// The random bits of `count` groups, word by word.
FROND_VECTOR_CLONES void DrawBits(uint64_t key, uint64_t group, int64_t count,
                                  uint32_t* __restrict words) {
  for (int64_t i = 0; i < count; ++i) {
    const auto bits = RoundingBits(key, group + static_cast<uint64_t>(i));
    words[4 * i] = bits[0];
    words[4 * i + 1] = bits[1];
    words[4 * i + 2] = bits[2];
    words[4 * i + 3] = bits[3];
  }
}

FROND_VECTOR_CLONES void RoundAtRandom(const float* __restrict x, const uint16_t* __restrict random,
                                       int64_t n, uint16_t* __restrict y) {
  for (int64_t i = 0; i < n; ++i) y[i] = StochasticHalf(std::bit_cast<uint32_t>(x[i]), random[i]);
}

// With the bits of elements first + i of the whole weight.
void StochasticRun(const float* x, uint64_t key, int64_t first, int64_t n, BFloat16* y) {
  alignas(64) uint32_t words[4 * kGroups];
  uint16_t random[8 * kGroups];
  for (int64_t done = 0; done < n;) {
    const int64_t skipped = (first + done) % 8;
    const int64_t groups = std::min(kGroups, (skipped + n - done + 7) / 8);
    DrawBits(key, static_cast<uint64_t>((first + done) / 8), groups, words);
    for (int64_t i = 0; i < 8 * groups; ++i) {
      random[i] = static_cast<uint16_t>(words[i / 2] >> (16 * (i % 2)));
    }
    const int64_t count = std::min(n - done, 8 * groups - skipped);
    RoundAtRandom(x + done, random + skipped, count, reinterpret_cast<uint16_t*>(y + done));
    done += count;
  }
}

}  // namespace

void SplitRun(const float* x, int64_t n, BFloat16* high, int16_t* low) {
  auto* bits = reinterpret_cast<uint16_t*>(high);
  low == nullptr ? Round(x, n, bits) : Split(x, n, bits, low);
}

void JoinRun(const BFloat16* high, const int16_t* low, int64_t n, float* x) {
  Join(reinterpret_cast<const uint16_t*>(high), low, n, x);
}

void StochasticPart(const float* x, uint64_t key, const ElementNumbers& numbers, int64_t begin,
                    int64_t n, BFloat16* y) {
  if (numbers.AreContiguous()) return StochasticRun(x, key, numbers.first + begin, n, y);
  for (int64_t done = 0; done < n;) {
    const int64_t row = (begin + done) / numbers.cols, col = (begin + done) % numbers.cols;
    const int64_t count = std::min(n - done, numbers.cols - col);
    const int64_t first = numbers.first + row * numbers.whole_cols + col;
    StochasticRun(x + done, key, first, count, y + done);
    done += count;
  }
}

}  // namespace frond::cpu
