// Copies rows to chosen places of a larger tensor: filling a key/value cache.
#pragma once

#include <cstdint>
#include <span>

#include "core/tensor/columns.h"

namespace frond {

// y[rows[i]] = x[i]. x [n, d], which may be columns of a wider matrix, y [m, d] of one dtype; the
// other rows of y stay as they are. The rows, which are CHECKed, differ from each other.
void ScatterRows(Context& ctx, ConstColumns x, std::span<const int64_t> rows, View y);

}  // namespace frond
