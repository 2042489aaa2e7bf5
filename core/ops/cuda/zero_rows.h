// Rows of columns filled with zeros.
#pragma once

#include "core/tensor/columns.h"

namespace frond::cuda {

// Rows [begin, end) of x become 0, in stream order.
void ZeroRows(Context& ctx, Columns x, int64_t begin, int64_t end);

}  // namespace frond::cuda
