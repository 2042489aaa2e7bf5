#pragma once

#include <cstdint>
#include <span>

#include "core/tensor/tensor.h"

namespace frond::cpu {

void ArgMaxRows(Context& ctx, ConstView x, std::span<int32_t> best);

}  // namespace frond::cpu
