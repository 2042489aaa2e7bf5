// GPU kernel of core/ops/argmax.h; contract there.
#pragma once

#include <cstdint>
#include <span>

#include "core/tensor/tensor.h"

namespace frond::cuda {

void ArgMaxRows(Context& ctx, ConstView x, std::span<int32_t> best);

}  // namespace frond::cuda
