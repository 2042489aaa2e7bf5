#include "core/ops/cpu/dropout.h"

#include <algorithm>
#include <cstring>

#include "core/ops/cpu/vector_kernels.h"

namespace frond::cpu {
namespace {

constexpr int64_t kRowsPerCall = 8;

// out = dropout(x) (+ residual, where its data is not null).
void Apply(ConstView x, const DropoutSpec& spec, ConstView residual, View out) {
  const VectorKernels& kernels = BestVectorKernels();
  const int64_t rows = x.dim(0), dim = x.dim(1);
  const auto at = [dim](const void* data, int64_t row, DType dtype) {
    return static_cast<const char*>(data) + row * dim * static_cast<int64_t>(DTypeSize(dtype));
  };
#pragma omp parallel for schedule(static)
  for (int64_t begin = 0; begin < rows; begin += kRowsPerCall) {
    DropoutRows run = {.rows = std::min(kRowsPerCall, rows - begin),
                       .dim = dim,
                       .x = {at(x.data, begin, x.dtype), x.dtype},
                       .key = spec.key,
                       .token_keys = spec.rate > 0 ? spec.token_keys.data() + begin : nullptr,
                       .first_column = spec.first_column,
                       .threshold = DropoutThreshold(spec.rate),
                       .keep_scale = 1 / (1 - static_cast<double>(spec.rate)),
                       .out = {const_cast<char*>(at(out.data, begin, out.dtype)), out.dtype}};
    if (residual.data != nullptr) run.residual = at(residual.data, begin, residual.dtype);
    kernels.dropout(run);
  }
}

}  // namespace

void Dropout(Context&, ConstView x, const DropoutSpec& spec, View y) {
  if (spec.rate > 0) return Apply(x, spec, {}, y);
  if (y.data != x.data) std::memcpy(y.data, x.data, x.bytes());
}

void DropoutAdd(Context&, ConstView x, const DropoutSpec& spec, ConstView residual, View out) {
  Apply(x, spec, residual, out);
}

}  // namespace frond::cpu
