// CPU implementation of core/ops/gated_gelu.h.
#pragma once

#include "core/ops/gated_gelu.h"

namespace frond::cpu {

void GatedGelu(Context& ctx, ConstColumns gate, ConstColumns up, View y);
void GatedGeluGrad(Context& ctx, ConstView dy, ConstColumns gate, ConstColumns up, Columns dgate,
                   Columns dup);

}  // namespace frond::cpu
