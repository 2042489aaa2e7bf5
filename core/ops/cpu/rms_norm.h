// CPU implementation of core/ops/rms_norm.h.
#pragma once

#include "core/ops/rms_norm.h"

namespace frond::cpu {

void RmsNorm(Context& ctx, ConstView x, ConstView scale, float epsilon, View y, View rstd,
             View low);
// On Device::kMeta it takes the memory that it takes on the CPU, and computes nothing.
void RmsNormGrad(Context& ctx, ConstView dy, ConstView x, ConstView scale, ConstView rstd,
                 Write mode, View dx, View dscale);

}  // namespace frond::cpu
