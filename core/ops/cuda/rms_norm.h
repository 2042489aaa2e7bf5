// GPU kernels of core/ops/rms_norm.h; contracts there.
#pragma once

#include "core/ops/rms_norm.h"

namespace frond::cuda {

void RmsNorm(Context& ctx, ConstView x, ConstView scale, float epsilon, View y, View rstd,
             View low);
void RmsNormGrad(Context& ctx, ConstView dy, ConstView x, ConstView scale, ConstView rstd,
                 Write mode, View dx, View dscale);

}  // namespace frond::cuda
