#include "core/ops/cuda/launch.cuh"
#include "core/ops/cuda/scatter_rows.h"

namespace frond::cuda {
namespace {

// Row rows[i] of y becomes row i of x; rows have `units` units.
template <class Unit>
__global__ void ScatterRowsKernel(const Unit* x, const int64_t* rows, int64_t units, Unit* y) {
  const Unit* source = x + int64_t{blockIdx.x} * units;
  Unit* target = y + rows[blockIdx.x] * units;
  for (int64_t i = threadIdx.x; i < units; i += blockDim.x) target[i] = source[i];
}

template <class Unit>
void Scatter(Context& ctx, const void* x, const Uploaded<int64_t>& rows, const Shape& shape,
             int64_t row_bytes, void* y) {
  const int64_t units = row_bytes / static_cast<int64_t>(sizeof(Unit));
  const Grid grid = {
      .blocks = dim3(static_cast<unsigned>(shape.dim(0))),
      .threads = dim3(static_cast<unsigned>(std::min<int64_t>(256, DivideUp(units, 32) * 32)))};
  Launch(ctx, grid, ScatterRowsKernel<Unit>, static_cast<const Unit*>(x), rows.data(), units,
         static_cast<Unit*>(y));
}

bool IsMultipleOf16(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer) % 16 == 0; }

}  // namespace

void ScatterRows(Context& ctx, ConstView x, std::span<const int64_t> rows, View y) {
  const int64_t row_bytes = x.shape.row_size() * static_cast<int64_t>(DTypeSize(x.dtype));
  if (rows.empty() || row_bytes == 0) return;
  const Uploaded<int64_t> device_rows(ctx, rows);
  if (row_bytes % 16 == 0 && IsMultipleOf16(x.data) && IsMultipleOf16(y.data)) {
    return Scatter<uint4>(ctx, x.data, device_rows, x.shape, row_bytes, y.data);
  }
  Scatter<uint16_t>(ctx, x.data, device_rows, x.shape, row_bytes, y.data);  // every dtype is even
}

}  // namespace frond::cuda
