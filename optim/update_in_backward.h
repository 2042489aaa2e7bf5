// A GradSink that updates parameters as soon as their gradients are complete, inside the backward
// pass, and frees the gradients: the gradients of a large model never all live at once.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "core/nn/grad_sink.h"
#include "dist/gradient_buckets.h"
#include "dist/gradient_sums.h"
#include "dist/tensor_axis.h"
#include "optim/optimizer.h"

namespace frond {

// A step has one backward pass on each rank, also where the rank has no examples. Nothing is known
// of all gradients before the first update, so there is no clipping by their norm. Otherwise
// weights and norm are those of KeepGrads or ShardedGrads to the last bit.
class UpdateInBackward : public GradSink {
 public:
  // All outlive the sink. Gradients are summed over the ranks of `data`, beside the rest of the
  // pass where those ranks can; parameters may lie split over `tensor` and their masters be sharded
  // over `data`.
  UpdateInBackward(const ParamStore& store, Optimizer& optimizer, Communicator& data,
                   const TensorAxis& tensor = {},
                   int64_t bucket_elements = GradientBuckets::kBucketElements);

  // Before the backward pass of a step.
  void StartStep(const StepInfo& info);

  View Open(Context& ctx, Param& param) override { return buckets_.Open(ctx, param); }
  // Updates the parameter's bucket once all gradients in it are complete. Where no rank
  // contributed, the gradient is zero. After a gradient that is not finite no parameter changes in
  // this step. Collective over both axes.
  void Close(Context& ctx, Param& param) override { buckets_.Close(ctx, param); }

  // After the pass: updates what is left and gives the global L2 norm of the step's gradients. A
  // gradient that was not finite is an error that names the first such parameter, the same on every
  // rank; what was updated before it stays so. CHECKs that the pass has closed every parameter.
  // Collective over both axes.
  absl::StatusOr<double> Finish(Context& ctx);

 private:
  absl::Status UpdateBucket(Context& ctx, std::span<const GradientBuckets::Complete> bucket);

  const ParamStore* store_;
  Optimizer* optimizer_;
  GradientBuckets buckets_;
  GradientParts parts_;
  StepInfo info_;
  std::vector<double> squares_;  // by parameter index
  absl::Status status_;
};

}  // namespace frond
