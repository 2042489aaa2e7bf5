#include "core/ops/adafactor.h"

#include "core/ops/cpu/adafactor.h"
#include "core/ops/cuda/adafactor.h"
#include "core/ops/dispatch.h"

namespace frond {
namespace {

void CheckState(ConstView v, int64_t elements, const MasterView& master) {
  CHECK_EQ(v.num_elements(), elements);
  CHECK(v.dtype == (master.value.dtype == DType::kF64 ? DType::kF64 : DType::kF32))
      << DTypeName(v.dtype);
}

}  // namespace

void AdafactorUpdateFactored(Context& ctx, ConstView grad, const AdafactorStep& step, View v_row,
                             View v_col, const MasterView& master) {
  CHECK_EQ(grad.shape.rank(), 2) << grad.shape;
  CHECK_EQ(master.value.shape, grad.shape);
  CheckState(v_row, grad.dim(0), master);
  CheckState(v_col, grad.dim(1), master);
  const ProfileScope scope(ctx.profiler(), "adafactor");
  Dispatch<cpu::AdafactorUpdateFactored, cuda::AdafactorUpdateFactored>(ctx, grad, step, v_row,
                                                                        v_col, master);
}

void AdafactorUpdateUnfactored(Context& ctx, ConstView grad, const AdafactorStep& step, View v,
                               const MasterView& master) {
  CHECK_EQ(master.value.shape, grad.shape);
  CheckState(v, grad.num_elements(), master);
  const ProfileScope scope(ctx.profiler(), "adafactor");
  Dispatch<cpu::AdafactorUpdateUnfactored, cuda::AdafactorUpdateUnfactored>(ctx, grad, step, v,
                                                                            master);
}

}  // namespace frond
