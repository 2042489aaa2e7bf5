#include "core/ops/rms_norm.h"

#include "core/base/check.h"
#include "core/ops/cpu/rms_norm.h"
#include "core/ops/cuda/rms_norm.h"
#include "core/ops/dispatch.h"
#include "core/ops/meta/op_memory.h"
#include "core/tensor/columns.h"

namespace frond {
namespace {

DType StatisticsType(DType x) { return x == DType::kF64 ? DType::kF64 : DType::kF32; }

void CheckOperands(ConstView x, ConstView scale, ConstView rstd) {
  CHECK_EQ(x.shape.rank(), 2);
  CHECK_EQ(scale.shape, (Shape{x.dim(1)}));
  CHECK_EQ(rstd.shape, (Shape{x.dim(0)}));
  CHECK(scale.dtype == StatisticsType(x.dtype)) << DTypeName(scale.dtype);
  CHECK(rstd.dtype == scale.dtype) << DTypeName(rstd.dtype);
}

}  // namespace

void RmsNorm(Context& ctx, ConstView x, ConstView scale, float epsilon, View y, View rstd,
             View low) {
  CheckOperands(x, scale, rstd);
  CHECK_EQ(y.shape, x.shape);
  CHECK((y.dtype == DType::kF64) == (x.dtype == DType::kF64))
      << DTypeName(x.dtype) << " to " << DTypeName(y.dtype);
  if (low.data != nullptr) {
    CHECK(y.dtype == DType::kBF16) << DTypeName(y.dtype);
    CheckSameShape(low, y);
  }
  ProfileScope profile(ctx.profiler(), "rms_norm", 0,
                       x.bytes() + y.bytes() + (low.data != nullptr ? low.bytes() : 0));
  Dispatch<cpu::RmsNorm, cuda::RmsNorm>(ctx, x, scale, epsilon, y, rstd, low);
}

void RmsNormGrad(Context& ctx, ConstView dy, ConstView x, ConstView scale, ConstView rstd,
                 Write mode, View dx, View dscale) {
  CheckOperands(x, scale, rstd);
  CHECK_EQ(dy.shape, x.shape);
  CHECK_EQ(dx.shape, x.shape);
  CHECK_EQ(dscale.shape, scale.shape);
  CHECK(dscale.dtype == scale.dtype) << DTypeName(dscale.dtype);
  CHECK((dy.dtype == DType::kF64) == (x.dtype == DType::kF64)) << DTypeName(dy.dtype);
  CHECK((dx.dtype == DType::kF64) == (x.dtype == DType::kF64)) << DTypeName(dx.dtype);
  ProfileScope profile(ctx.profiler(), "rms_norm", 0,
                       dy.bytes() + x.bytes() + (mode == Write::kAccumulate ? 2 : 1) * dx.bytes());
  Dispatch<cpu::RmsNormGrad, cuda::RmsNormGrad, meta::RmsNormGrad>(ctx, dy, x, scale, rstd, mode,
                                                                   dx, dscale);
}

}  // namespace frond
