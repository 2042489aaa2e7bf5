// What every sink does with a complete gradient: add up the ranks' parts, refuse what is not
// finite, and measure it.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/nn/param.h"
#include "dist/communicator.h"
#include "dist/tensor_axis.h"

namespace frond {

// `gradients` becomes the sum over the ranks of `data`, in pieces of bounded size. The bits do not
// depend on where in `gradients` an element stands. Collective over `data`.
void SumOverRanks(Context& ctx, Communicator& data, View gradients);

// What ranks that hold parts of complete gradients know together.
class GradientParts {
 public:
  // `shards`: the ranks that the rows of each rank's part are shared out over; null: they are not.
  explicit GradientParts(const TensorAxis& axis, Communicator* shards = nullptr)
      : axis_(axis), shards_(shards) {}

  // The sum of squares of the whole gradient of each of `params`, of which `parts` are this rank's
  // parts: the same bits on every rank, in an order that does not depend on the number of threads.
  // An element that is not finite is an error that names the first such parameter and the element,
  // the same on every rank. Collective.
  absl::StatusOr<std::vector<double>> SumsOfSquares(Context& ctx,
                                                    std::span<const Param* const> params,
                                                    std::span<const ConstView> parts) const;

  // The L2 norm of the gradients of all parameters of `store` together; `part_of` gives this rank's
  // part of each. Errors are those of SumsOfSquares. Collective.
  absl::StatusOr<double> Norm(Context& ctx, const ParamStore& store,
                              const std::function<ConstView(const Param&)>& part_of) const;

 private:
  absl::Status CheckFinite(Context& ctx, const Param& param, ConstView part, double sum) const;

  TensorAxis axis_;
  Communicator* shards_;
};

}  // namespace frond
