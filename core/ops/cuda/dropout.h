// GPU kernels of core/ops/dropout.h; contracts there.
#pragma once

#include "core/ops/dropout.h"

namespace frond::cuda {

void Dropout(Context& ctx, ConstView x, const DropoutSpec& spec, View y);
void DropoutAdd(Context& ctx, ConstView x, const DropoutSpec& spec, ConstView residual, View out);

}  // namespace frond::cuda
