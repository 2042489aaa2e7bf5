// CPU kernel of SplitToBf16; core/ops/product_operand.h has the contract.
#pragma once

#include "core/tensor/tensor.h"

namespace frond::cpu {

void SplitToBf16(Context& ctx, ConstView x, View high, View low);

}  // namespace frond::cpu
