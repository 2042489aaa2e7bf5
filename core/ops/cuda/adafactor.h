// GPU kernels of core/ops/adafactor.h; contracts there.
#pragma once

#include "core/ops/adafactor.h"

namespace frond::cuda {

void AdafactorUpdateFactored(Context& ctx, ConstView grad, const AdafactorStep& step, View v_row,
                             View v_col, const MasterView& master);
void AdafactorUpdateUnfactored(Context& ctx, ConstView grad, const AdafactorStep& step, View v,
                               const MasterView& master);

}  // namespace frond::cuda
