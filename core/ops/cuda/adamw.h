// GPU kernel of core/ops/adamw.h; contract there.
#pragma once

#include "core/ops/adamw.h"

namespace frond::cuda {

void AdamWUpdate(Context& ctx, ConstView grad, const AdamWStep& step, View m, View v,
                 const MasterView& master);

}  // namespace frond::cuda
