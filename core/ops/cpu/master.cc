#include "core/ops/cpu/master.h"

#include "core/ops/cpu/blocks.h"
#include "core/ops/cpu/elementwise.h"
#include "core/ops/cpu/master_run.h"

namespace frond::cpu {

void ReadMaster(Context& ctx, const MasterView& master, View x) {
  if (!master.is_split()) return Cast(ctx, master.value, x);
  const auto* high = master.value.As<BFloat16>();
  const auto* low = master.low.As<int16_t>();
  auto* target = x.As<float>();
  ForBlocks(x.num_elements(), [&](int64_t begin, int64_t end) {
    JoinRun(high + begin, low + begin, end - begin, target + begin);
  });
}

void WriteMaster(Context& ctx, ConstView x, const MasterView& master) {
  if (master.value.dtype != DType::kBF16) return Cast(ctx, x, master.value);
  const auto* source = x.As<float>();
  auto* high = master.value.As<BFloat16>();
  auto* low = master.is_split() ? master.low.As<int16_t>() : nullptr;
  ForBlocks(x.num_elements(), [&](int64_t begin, int64_t end) {
    SplitRun(source + begin, end - begin, high + begin, low == nullptr ? nullptr : low + begin);
  });
}

void CastStochastic(Context&, ConstView x, uint64_t key, const ElementNumbers& numbers, View y) {
  const auto* source = x.As<float>();
  auto* target = y.As<BFloat16>();
  ForBlocks(x.num_elements(), [&](int64_t begin, int64_t end) {
    StochasticPart(source + begin, key, numbers, begin, end - begin, target + begin);
  });
}

}  // namespace frond::cpu
