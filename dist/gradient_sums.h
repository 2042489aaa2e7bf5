// What every sink does with a complete gradient: add up the ranks' parts, refuse what is not
// finite, and measure it.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/nn/param.h"
#include "dist/communicator.h"

namespace frond {

// `gradients` becomes the sum over the ranks of `data`, in pieces of bounded size. The bits do not
// depend on where in `gradients` an element stands. Collective over `data`.
void SumOverRanks(Context& ctx, Communicator& data, View gradients);

// The sum of squares of the gradient of `param`, in an order that does not depend on the number of
// threads. An element that is not finite is an error that names the parameter and the element.
absl::StatusOr<double> FiniteSumOfSquares(Context& ctx, const Param& param, ConstView gradient);

// That error, where `sum`, the sum of squares of the gradient of `param`, is not finite.
absl::Status CheckFiniteSum(Context& ctx, const Param& param, ConstView gradient, double sum);

}  // namespace frond
