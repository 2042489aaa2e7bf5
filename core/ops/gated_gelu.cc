#include "core/ops/gated_gelu.h"

#include "core/base/check.h"
#include "core/ops/cpu/gated_gelu.h"
#include "core/ops/cuda/gated_gelu.h"
#include "core/ops/dispatch.h"

namespace frond {
namespace {

void CheckSame(ConstColumns a, ConstColumns b) {
  CHECK_EQ(a.shape(), b.shape());
  CHECK(a.dtype == b.dtype) << DTypeName(a.dtype) << " and " << DTypeName(b.dtype);
}

// Rows lie alike, too.
void CheckLike(ConstColumns a, ConstColumns like) {
  CheckSame(a, like);
  CHECK_EQ(a.pitch, like.pitch);
}

}  // namespace

void GatedGelu(Context& ctx, ConstColumns gate, ConstColumns up, View y) {
  CheckLike(up, gate);
  CheckSame(y, gate);
  ProfileScope profile(ctx.profiler(), "gated_gelu", 0, 3 * y.bytes());
  Dispatch<cpu::GatedGelu, cuda::GatedGelu>(ctx, gate, up, y);
}

void GatedGeluGrad(Context& ctx, ConstView dy, ConstColumns gate, ConstColumns up, Columns dgate,
                   Columns dup) {
  CheckSame(dy, gate);
  CheckLike(up, gate);
  CheckLike(dgate, gate);
  CheckLike(dup, gate);
  ProfileScope profile(ctx.profiler(), "gated_gelu", 0, 5 * dy.bytes());
  Dispatch<cpu::GatedGeluGrad, cuda::GatedGeluGrad>(ctx, dy, gate, up, dgate, dup);
}

// Rows lie alike, too.
void CheckLike(ConstColumns a, ConstColumns like) {
  CheckSame(a, like);
  CHECK_EQ(a.pitch, like.pitch);
}

}  // namespace frond
