#include "core/ops/cpu/master.h"

#include <algorithm>

#include "core/ops/cpu/elementwise.h"
#include "core/ops/cpu/master_run.h"

namespace frond::cpu {
namespace {

constexpr int64_t kBlock = 4096;

// Calls `function(begin, count)` for every block of [0, n), in parallel.
template <class Function>
void ForBlocks(int64_t n, const Function& function) {
  const int64_t blocks = (n + kBlock - 1) / kBlock;
#pragma omp parallel for schedule(static) if (blocks > 4)
  for (int64_t b = 0; b < blocks; ++b) function(b * kBlock, std::min(kBlock, n - b * kBlock));
}

}  // namespace

void ReadMaster(Context& ctx, const MasterView& master, View x) {
  if (!master.is_split()) return Cast(ctx, master.value, x);
  const auto* high = master.value.As<BFloat16>();
  const auto* low = master.low.As<int16_t>();
  auto* target = x.As<float>();
  ForBlocks(x.num_elements(), [&](int64_t begin, int64_t count) {
    JoinRun(high + begin, low + begin, count, target + begin);
  });
}

void WriteMaster(Context& ctx, ConstView x, const MasterView& master) {
  if (master.value.dtype != DType::kBF16) return Cast(ctx, x, master.value);
  const auto* source = x.As<float>();
  auto* high = master.value.As<BFloat16>();
  auto* low = master.is_split() ? master.low.As<int16_t>() : nullptr;
  ForBlocks(x.num_elements(), [&](int64_t begin, int64_t count) {
    SplitRun(source + begin, count, high + begin, low == nullptr ? nullptr : low + begin);
  });
}

void CastStochastic(Context&, ConstView x, uint64_t key, const ElementNumbers& numbers, View y) {
  const auto* source = x.As<float>();
  auto* target = y.As<BFloat16>();
  ForBlocks(x.num_elements(), [&](int64_t begin, int64_t count) {
    StochasticPart(source + begin, key, numbers, begin, count, target + begin);
  });
}

}  // namespace frond::cpu
