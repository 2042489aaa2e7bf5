// The place of the largest element of every row: greedy decoding reads nothing else of the logits.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor/tensor.h"

namespace frond {

// The column of the largest element of every row of x [n, m], the first one of several; x is f32
// (f64 on the CPU), m >= 1. Elements that are not numbers are never the largest.
std::vector<int32_t> ArgMaxRows(Context& ctx, ConstView x);

}  // namespace frond
