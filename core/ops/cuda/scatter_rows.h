// GPU kernels of core/ops/scatter_rows.h; contracts there.
#pragma once

#include <cstdint>
#include <span>

#include "core/tensor/columns.h"

namespace frond::cuda {

void ScatterRows(Context& ctx, ConstColumns x, std::span<const int64_t> rows, View y);

}  // namespace frond::cuda
