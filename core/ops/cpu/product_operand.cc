#include "core/ops/cpu/product_operand.h"

#include "core/ops/cpu/blocks.h"
#include "core/ops/cpu/row_convert.h"

namespace frond::cpu {
namespace {

void LowRun(const float* x, const BFloat16* high, BFloat16* low, int64_t n) {
  float rest[kBlock];
  ConvertRun(high, rest, n);
  for (int64_t i = 0; i < n; ++i) rest[i] = x[i] - rest[i];
  ConvertRun(rest, low, n);
}

}  // namespace

void SplitToBf16(Context&, ConstView x, View high, View low) {
  const float* from = x.As<float>();
  auto* first = high.As<BFloat16>();
  BFloat16* second = low.data == nullptr ? nullptr : low.As<BFloat16>();
  ForBlocks(x.num_elements(), [&](int64_t begin, int64_t end) {
    ConvertRun(from + begin, first + begin, end - begin);
    if (second != nullptr) LowRun(from + begin, first + begin, second + begin, end - begin);
  });
}

}  // namespace frond::cpu
