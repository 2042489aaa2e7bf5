#include "core/ops/adafactor.h"

#include "core/ops/cpu/adafactor.h"
#include "core/ops/cuda/adafactor.h"
#include "core/ops/dispatch.h"
#include "core/ops/elementwise.h"

namespace frond {
namespace {

void CheckSums(ConstView sums, int64_t count) {
  CHECK_EQ(sums.num_elements(), count);
  CHECK(sums.dtype == DType::kF64) << DTypeName(sums.dtype);
}

void CheckPart(ConstView grad, const AdafactorStep& step, const MasterView& master) {
  CHECK_EQ(master.value.num_elements(), grad.num_elements());
  CHECK_LE(grad.num_elements(), step.whole_rows * step.whole_cols);
}

void CheckState(ConstView v, int64_t elements, const MasterView& master) {
  CHECK_EQ(v.num_elements(), elements);
  CHECK(v.dtype == (master.value.dtype == DType::kF64 ? DType::kF64 : DType::kF32))
      << DTypeName(v.dtype);
}

void CheckFactored(ConstView grad, const AdafactorStep& step, const FactoredMoments& moments,
                   const MasterView& master) {
  CHECK_EQ(grad.shape.rank(), 2) << grad.shape;
  CheckPart(grad, step, master);
  CheckState(moments.row, grad.dim(0), master);
  CheckState(moments.col, grad.dim(1), master);
  CheckSums(moments.sum, 1);
}

}  // namespace

void AdafactorSquareSums(Context& ctx, ConstView grad, const FactoredSums& sums) {
  CHECK_EQ(grad.shape.rank(), 2) << grad.shape;
  CheckSums(sums.rows, grad.dim(0));
  CheckSums(sums.cols, grad.dim(1));
  if (grad.num_elements() == 0) return Fill(ctx, 0, sums.cols);
  const ProfileScope scope(ctx.profiler(), "adafactor", 0, grad.bytes());
  Dispatch<cpu::AdafactorSquareSums, cuda::AdafactorSquareSums>(ctx, grad, sums);
}

void AdafactorMoments(Context& ctx, const FactoredSums& sums, const AdafactorStep& step,
                      const FactoredMoments& moments) {
  CheckSums(sums.rows, moments.row.num_elements());
  CheckSums(sums.cols, moments.col.num_elements());
  CHECK(moments.row.dtype == moments.col.dtype);
  CheckSums(moments.sum, 1);
  const ProfileScope scope(ctx.profiler(), "adafactor");
  Dispatch<cpu::AdafactorMoments, cuda::AdafactorMoments>(ctx, sums, step, moments);
}

void AdafactorFactoredSquares(Context& ctx, ConstView grad, const AdafactorStep& step,
                              const FactoredMoments& moments, const MasterView& master,
                              View squares) {
  CheckFactored(grad, step, moments, master);
  CheckSums(squares, 2);
  if (grad.num_elements() == 0) return Fill(ctx, 0, squares);
  const ProfileScope scope(ctx.profiler(), "adafactor", 0, grad.bytes() + master.bytes());
  Dispatch<cpu::AdafactorFactoredSquares, cuda::AdafactorFactoredSquares>(ctx, grad, step, moments,
                                                                          master, squares);
}

void AdafactorApplyFactored(Context& ctx, ConstView grad, const AdafactorStep& step,
                            const FactoredMoments& moments, ConstView squares,
                            const MasterView& master) {
  CheckFactored(grad, step, moments, master);
  CheckSums(squares, 2);
  if (grad.num_elements() == 0) return;
  const ProfileScope scope(ctx.profiler(), "adafactor", 0, grad.bytes() + 2 * master.bytes());
  Dispatch<cpu::AdafactorApplyFactored, cuda::AdafactorApplyFactored>(ctx, grad, step, moments,
                                                                      squares, master);
}

void AdafactorUnfactoredSquares(Context& ctx, ConstView grad, const AdafactorStep& step, View v,
                                const MasterView& master, View squares) {
  CheckPart(grad, step, master);
  CheckState(v, grad.num_elements(), master);
  CheckSums(squares, 2);
  if (grad.num_elements() == 0) return Fill(ctx, 0, squares);
  const ProfileScope scope(ctx.profiler(), "adafactor", 0,
                           grad.bytes() + 2 * v.bytes() + master.bytes());
  Dispatch<cpu::AdafactorUnfactoredSquares, cuda::AdafactorUnfactoredSquares>(ctx, grad, step, v,
                                                                              master, squares);
}

void AdafactorApplyUnfactored(Context& ctx, ConstView grad, const AdafactorStep& step, ConstView v,
                              ConstView squares, const MasterView& master) {
  CheckPart(grad, step, master);
  CheckState(v, grad.num_elements(), master);
  CheckSums(squares, 2);
  if (grad.num_elements() == 0) return;
  const ProfileScope scope(ctx.profiler(), "adafactor", 0,
                           grad.bytes() + v.bytes() + 2 * master.bytes());
  Dispatch<cpu::AdafactorApplyUnfactored, cuda::AdafactorApplyUnfactored>(ctx, grad, step, v,
                                                                          squares, master);
}

}  // namespace frond
