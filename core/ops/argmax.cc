#include "core/ops/argmax.h"

#include "core/base/check.h"
#include "core/ops/cpu/argmax.h"
#include "core/ops/cuda/argmax.h"
#include "core/ops/dispatch.h"

namespace frond {

std::vector<int32_t> ArgMaxRows(Context& ctx, ConstView x) {
  CHECK_EQ(x.shape.rank(), 2);
  CHECK_GE(x.dim(1), 1);
  std::vector<int32_t> best(static_cast<size_t>(x.dim(0)));
  Dispatch<cpu::ArgMaxRows, cuda::ArgMaxRows>(ctx, x, std::span<int32_t>(best));
  return best;
}

}  // namespace frond
