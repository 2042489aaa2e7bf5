#include "core/ops/adamw.h"

#include "core/ops/cpu/adamw.h"
#include "core/ops/cuda/adamw.h"
#include "core/ops/dispatch.h"

namespace frond {

void AdamWUpdate(Context& ctx, ConstView grad, const AdamWStep& step, View m, View v,
                 const MasterView& master) {
  CHECK_EQ(master.value.num_elements(), grad.num_elements());
  const DType state = master.value.dtype == DType::kF64 ? DType::kF64 : DType::kF32;
  for (const View& moment : {m, v}) {
    CHECK_EQ(moment.num_elements(), grad.num_elements());
    CHECK(moment.dtype == state) << DTypeName(moment.dtype);
  }
  if (grad.num_elements() == 0) return;
  const ProfileScope scope(ctx.profiler(), "adamw", 0,
                           grad.bytes() + 2 * (m.bytes() + v.bytes() + master.bytes()));
  Dispatch<cpu::AdamWUpdate, cuda::AdamWUpdate>(ctx, grad, step, m, v, master);
}

}  // namespace frond
