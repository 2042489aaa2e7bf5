#include "core/ops/cpu/rms_norm.h"

#include <algorithm>
#include <cstring>

#include "core/ops/cpu/vector_kernels.h"

namespace frond::cpu {
namespace {

// Rows that one call of a kernel does.
constexpr int64_t kRowsPerCall = 16;
// The gradient's rows are cut into at most this many parts whatever the number of threads, so that
// dscale is summed in one order.
constexpr int64_t kMaxParts = 64;

template <class T>
T* Offset(T* data, int64_t elements, DType dtype) {
  using Byte = std::conditional_t<std::is_const_v<T>, const char, char>;
  return static_cast<Byte*>(data) + elements * static_cast<int64_t>(DTypeSize(dtype));
}

template <class A>
void AddParts(const A* parts, int64_t count, int64_t dim, A* dscale) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < dim; ++i) {
    A sum = 0;
    for (int64_t part = 0; part < count; ++part) sum += parts[part * dim + i];
    dscale[i] += sum;
  }
}

}  // namespace

void RmsNorm(Context&, ConstView x, ConstView scale, float epsilon, View y, View rstd, View low) {
  const VectorKernels& kernels = BestVectorKernels();
  const int64_t rows = x.dim(0), dim = x.dim(1);
#pragma omp parallel for schedule(static)
  for (int64_t begin = 0; begin < rows; begin += kRowsPerCall) {
    kernels.rms_norm({.rows = std::min(kRowsPerCall, rows - begin),
                      .dim = dim,
                      .x = {Offset(x.data, begin * dim, x.dtype), x.dtype},
                      .scale = scale.data,
                      .epsilon = epsilon,
                      .y = {Offset(y.data, begin * dim, y.dtype), y.dtype},
                      .low = low.data == nullptr ? nullptr : low.As<BFloat16>() + begin * dim,
                      .rstd = Offset(rstd.data, begin, rstd.dtype)});
  }
}

void RmsNormGrad(Context& ctx, ConstView dy, ConstView x, ConstView scale, ConstView rstd,
                 Write mode, View dx, View dscale) {
  const VectorKernels& kernels = BestVectorKernels();
  const int64_t rows = x.dim(0), dim = x.dim(1);
  const int64_t num_parts = std::clamp(rows / kRowsPerCall, int64_t{1}, kMaxParts);
  Tensor parts(ctx, {num_parts, dim}, dscale.dtype, MemoryKind::kWorkspace);
  if (ctx.device() == Device::kMeta) return;
  const View parts_view = parts;
#pragma omp parallel for schedule(static)
  for (int64_t part = 0; part < num_parts; ++part) {
    const int64_t begin = rows * part / num_parts, end = rows * (part + 1) / num_parts;
    void* sums = Offset(parts_view.data, part * dim, dscale.dtype);
    std::memset(sums, 0, dim * DTypeSize(dscale.dtype));
    kernels.rms_norm_grad({.rows = end - begin,
                           .dim = dim,
                           .dy = {Offset(dy.data, begin * dim, dy.dtype), dy.dtype},
                           .x = {Offset(x.data, begin * dim, x.dtype), x.dtype},
                           .scale = scale.data,
                           .rstd = Offset(rstd.data, begin, rstd.dtype),
                           .accumulate = mode == Write::kAccumulate,
                           .dx = {Offset(dx.data, begin * dim, dx.dtype), dx.dtype},
                           .dscale = sums});
  }
  if (dscale.dtype == DType::kF64) {
    AddParts(parts.As<double>(), num_parts, dim, dscale.As<double>());
  } else {
    AddParts(parts.As<float>(), num_parts, dim, dscale.As<float>());
  }
}

}  // namespace frond::cpu
