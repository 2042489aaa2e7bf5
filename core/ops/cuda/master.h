// GPU kernels of core/ops/master.h; contracts there.
#pragma once

#include "core/ops/master.h"

namespace frond::cuda {

void ReadMaster(Context& ctx, const MasterView& master, View x);
void WriteMaster(Context& ctx, ConstView x, const MasterView& master);
void CastStochastic(Context& ctx, ConstView x, uint64_t key, const ElementNumbers& numbers, View y);

}  // namespace frond::cuda
