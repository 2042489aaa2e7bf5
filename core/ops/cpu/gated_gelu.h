// CPU implementation of core/ops/gated_gelu.h.
#pragma once

#include "core/ops/gated_gelu.h"

namespace frond::cpu {

void GatedGelu(Context& ctx, ConstView gate, ConstView up, View y);
void GatedGeluGrad(Context& ctx, ConstView dy, ConstView gate, ConstView up, View dgate, View dup);

}  // namespace frond::cpu
