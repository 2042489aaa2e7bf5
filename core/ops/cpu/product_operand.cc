#include "core/ops/cpu/product_operand.h"

#include <algorithm>

#include "core/ops/cpu/row_convert.h"

namespace frond::cpu {
namespace {

constexpr int64_t kBlock = 4096;

void LowRun(const float* x, const BFloat16* high, BFloat16* low, int64_t n) {
  float rest[kBlock];
  ConvertRun(high, rest, n);
  for (int64_t i = 0; i < n; ++i) rest[i] = x[i] - rest[i];
  ConvertRun(rest, low, n);
}

}  // namespace

void SplitToBf16(Context&, ConstView x, View high, View low) {
  const int64_t n = x.num_elements(), blocks = (n + kBlock - 1) / kBlock;
  const float* from = x.As<float>();
  auto* first = high.As<BFloat16>();
  BFloat16* second = low.data == nullptr ? nullptr : low.As<BFloat16>();
#pragma omp parallel for schedule(static) if (blocks > 4)
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t begin = b * kBlock, count = std::min(n - begin, kBlock);
    ConvertRun(from + begin, first + begin, count);
    if (second != nullptr) LowRun(from + begin, first + begin, second + begin, count);
  }
}

}  // namespace frond::cpu
