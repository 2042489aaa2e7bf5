#include "core/ops/cuda/launch.cuh"
#include "core/ops/cuda/scatter_rows.h"
#include "core/ops/cuda/sent_lists.h"

namespace frond::cuda {
namespace {

// Row rows[i] of y becomes row i of x; rows have `units` units, and those of x begin `pitch` apart.
template <class Unit>
__global__ void ScatterRowsKernel(const Unit* x, const int64_t* rows, int64_t units, int64_t pitch,
                                  Unit* y) {
  const Unit* source = x + int64_t{blockIdx.x} * pitch;
  Unit* target = y + rows[blockIdx.x] * units;
  for (int64_t i = threadIdx.x; i < units; i += blockDim.x) target[i] = source[i];
}

template <class Unit>
void Scatter(Context& ctx, ConstColumns x, const int64_t* rows, void* y) {
  const auto units_of = [&](int64_t elements) {
    return elements * static_cast<int64_t>(DTypeSize(x.dtype)) / static_cast<int64_t>(sizeof(Unit));
  };
  const int64_t units = units_of(x.columns);
  const Grid grid = {
      .blocks = dim3(static_cast<unsigned>(x.rows)),
      .threads = dim3(static_cast<unsigned>(std::min<int64_t>(256, DivideUp(units, 32) * 32)))};
  Launch(ctx, grid, ScatterRowsKernel<Unit>, static_cast<const Unit*>(x.data), rows, units,
         units_of(x.pitch), static_cast<Unit*>(y));
}

bool IsMultipleOf16(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer) % 16 == 0; }

}  // namespace

void ScatterRows(Context& ctx, ConstColumns x, std::span<const int64_t> rows, View y) {
  if (x.num_elements() == 0) return;
  const int64_t per_unit = 16 / static_cast<int64_t>(DTypeSize(x.dtype));
  // Keys and values of all layers of a decoder have the same.
  const int64_t* device_rows = ctx.Backend<SentLists>().OnDevice(ctx, rows);
  if (x.columns % per_unit == 0 && x.pitch % per_unit == 0 && IsMultipleOf16(x.data) &&
      IsMultipleOf16(y.data)) {
    return Scatter<uint4>(ctx, x, device_rows, y.data);
  }
  Scatter<uint16_t>(ctx, x, device_rows, y.data);  // every dtype is even
}

}  // namespace frond::cuda
