// GPU kernels of core/ops/adafactor.h; contracts there. Parts have elements.
#pragma once

#include "core/ops/adafactor.h"

namespace frond::cuda {

void AdafactorSquareSums(Context& ctx, ConstView grad, const FactoredSums& sums);
void AdafactorMoments(Context& ctx, const FactoredSums& sums, const AdafactorStep& step,
                      const FactoredMoments& moments);  // of a part that may be without rows
void AdafactorFactoredSquares(Context& ctx, ConstView grad, const AdafactorStep& step,
                              const FactoredMoments& moments, const MasterView& master,
                              View squares);
void AdafactorApplyFactored(Context& ctx, ConstView grad, const AdafactorStep& step,
                            const FactoredMoments& moments, ConstView squares,
                            const MasterView& master);
void AdafactorUnfactoredSquares(Context& ctx, ConstView grad, const AdafactorStep& step, View v,
                                const MasterView& master, View squares);
void AdafactorApplyUnfactored(Context& ctx, ConstView grad, const AdafactorStep& step, ConstView v,
                              ConstView squares, const MasterView& master);

}  // namespace frond::cuda
