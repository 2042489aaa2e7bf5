// CPU implementation of core/ops/dropout.h.
#pragma once

#include "core/ops/dropout.h"

namespace frond::cpu {

void Dropout(Context& ctx, ConstView x, const DropoutSpec& spec, View y);
void DropoutAdd(Context& ctx, ConstView x, const DropoutSpec& spec, ConstView residual, View out);

}  // namespace frond::cpu
