// GPU kernels of core/ops/gated_gelu.h; contracts there.
#pragma once

#include "core/ops/gated_gelu.h"

namespace frond::cuda {

void GatedGelu(Context& ctx, ConstView gate, ConstView up, View y);
void GatedGeluGrad(Context& ctx, ConstView dy, ConstView gate, ConstView up, View dgate, View dup);

}  // namespace frond::cuda
