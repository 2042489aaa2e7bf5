#include "core/ops/gated_gelu.h"

#include "core/base/check.h"
#include "core/ops/cpu/gated_gelu.h"
#include "core/ops/cuda/gated_gelu.h"
#include "core/ops/dispatch.h"

namespace frond {
namespace {

void CheckSame(ConstView a, ConstView b) {
  CHECK_EQ(a.shape, b.shape);
  CHECK(a.dtype == b.dtype) << DTypeName(a.dtype) << " and " << DTypeName(b.dtype);
}

}  // namespace

void GatedGelu(Context& ctx, ConstView gate, ConstView up, View y) {
  CheckSame(gate, up);
  CheckSame(gate, y);
  ProfileScope profile(ctx.profiler(), "gated_gelu", 0, 3 * y.bytes());
  Dispatch<cpu::GatedGelu, cuda::GatedGelu>(ctx, gate, up, y);
}

void GatedGeluGrad(Context& ctx, ConstView dy, ConstView gate, ConstView up, View dgate, View dup) {
  CheckSame(gate, dy);
  CheckSame(gate, up);
  CheckSame(gate, dgate);
  CheckSame(gate, dup);
  ProfileScope profile(ctx.profiler(), "gated_gelu", 0, 5 * dy.bytes());
  Dispatch<cpu::GatedGeluGrad, cuda::GatedGeluGrad>(ctx, dy, gate, up, dgate, dup);
}

}  // namespace frond
