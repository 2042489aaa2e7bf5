#include "core/ops/gated_gelu.h"

#include "core/ops/cpu/gated_gelu.h"
#include "core/ops/cuda/gated_gelu.h"
#include "core/ops/dispatch.h"

namespace frond {

void GatedGelu(Context& ctx, ConstColumns gate, ConstColumns up, View y) {
  CheckSameLayout(up, gate);
  CheckSameShapeOrNarrower(y, gate);
  ProfileScope profile(ctx.profiler(), "gated_gelu", 0,
                       y.bytes() + 2 * gate.num_elements() * DTypeSize(gate.dtype));
  Dispatch<cpu::GatedGelu, cuda::GatedGelu>(ctx, gate, up, y);
}

void GatedGeluGrad(Context& ctx, ConstView dy, ConstColumns gate, ConstColumns up, Columns dgate,
                   Columns dup) {
  CheckSameLayout(up, gate);
  CheckSameShapeOrNarrower(dy, gate);
  CheckSameLayoutOrNarrower(dgate, gate);
  CheckSameLayout(dup, dgate);
  CHECK(dgate.dtype == dy.dtype) << DTypeName(dgate.dtype) << " and " << DTypeName(dy.dtype);
  ProfileScope profile(ctx.profiler(), "gated_gelu", 0,
                       3 * dy.bytes() + 2 * gate.num_elements() * DTypeSize(gate.dtype));
  Dispatch<cpu::GatedGeluGrad, cuda::GatedGeluGrad>(ctx, dy, gate, up, dgate, dup);
}

}  // namespace frond
