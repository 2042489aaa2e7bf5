#include "core/ops/gated_gelu.h"

#include "core/ops/cpu/gated_gelu.h"
#include "core/ops/cuda/gated_gelu.h"
#include "core/ops/dispatch.h"

namespace frond {

void GatedGelu(Context& ctx, ConstColumns gate, ConstColumns up, View y) {
  CheckSameLayout(up, gate);
  CheckSameShape(y, gate);
  ProfileScope profile(ctx.profiler(), "gated_gelu", 0, 3 * y.bytes());
  Dispatch<cpu::GatedGelu, cuda::GatedGelu>(ctx, gate, up, y);
}

void GatedGeluGrad(Context& ctx, ConstView dy, ConstColumns gate, ConstColumns up, Columns dgate,
                   Columns dup) {
  CheckSameShape(dy, gate);
  CheckSameLayout(up, gate);
  CheckSameLayout(dgate, gate);
  CheckSameLayout(dup, gate);
  ProfileScope profile(ctx.profiler(), "gated_gelu", 0, 5 * dy.bytes());
  Dispatch<cpu::GatedGeluGrad, cuda::GatedGeluGrad>(ctx, dy, gate, up, dgate, dup);
}

}  // namespace frond
