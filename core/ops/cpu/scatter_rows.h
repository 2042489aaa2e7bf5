#pragma once

#include <cstdint>
#include <span>

#include "core/tensor/tensor.h"

namespace frond::cpu {

void ScatterRows(Context& ctx, ConstView x, std::span<const int64_t> rows, View y);

}  // namespace frond::cpu
