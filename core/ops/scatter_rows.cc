#include "core/ops/scatter_rows.h"

#include "core/base/check.h"
#include "core/ops/cpu/scatter_rows.h"
#include "core/ops/cuda/scatter_rows.h"
#include "core/ops/dispatch.h"

namespace frond {

void ScatterRows(Context& ctx, ConstColumns x, std::span<const int64_t> rows, View y) {
  CHECK(x.dtype == y.dtype);
  CHECK_EQ(x.rows, static_cast<int64_t>(rows.size()));
  CHECK_EQ(x.columns, y.shape.row_size());
  for (const int64_t row : rows)
    CHECK(row >= 0 && row < y.dim(0)) << "row " << row << " of " << y.shape;
  Dispatch<cpu::ScatterRows, cuda::ScatterRows>(ctx, x, rows, y);
}

}  // namespace frond
