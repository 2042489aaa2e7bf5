// A GradSink that updates each parameter as soon as its gradient is complete, inside the backward
// pass, and frees the gradient: the gradients of a large model never all live at once.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "core/nn/grad_sink.h"
#include "dist/communicator.h"
#include "optim/optimizer.h"

namespace frond {

// A step has one backward pass on each rank, also where the rank has no examples. Nothing is known
// of all gradients before the first update, so there is no clipping by their norm. Otherwise
// weights and norm are those of KeepGrads to the last bit.
class UpdateInBackward : public GradSink {
 public:
  // All outlive the sink. Gradients are summed over the ranks of `data`.
  UpdateInBackward(const ParamStore& store, Optimizer& optimizer, Communicator& data);

  // Before the backward pass of a step.
  void StartStep(const StepInfo& info);

  View Open(Context& ctx, Param& param) override;
  // Sums the gradient over the ranks and updates the parameter. Where no rank contributed, the
  // gradient is zero. After a gradient that is not finite no parameter changes in this step.
  // Collective over the data ranks.
  void Close(Context& ctx, Param& param) override;

  // After the pass: the global L2 norm of the step's gradients. A gradient that was not finite is
  // an error that names the first such parameter, the same on every rank; those that were closed
  // before it are updated. CHECKs that the pass has closed every parameter.
  absl::StatusOr<double> Finish();

 private:
  absl::Status Apply(Context& ctx, Param& param, View gradient);

  const ParamStore* store_;
  Optimizer* optimizer_;
  Communicator* data_;
  StepInfo info_;
  std::vector<Tensor> gradients_;  // by parameter index; empty where not open
  std::vector<bool> closed_;
  std::vector<double> squares_;
  absl::Status status_;
};

}  // namespace frond
