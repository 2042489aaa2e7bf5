#pragma once

#include <cstdint>
#include <span>

#include "core/tensor/columns.h"

namespace frond::cpu {

void ScatterRows(Context& ctx, ConstColumns x, std::span<const int64_t> rows, View y);

}  // namespace frond::cpu
