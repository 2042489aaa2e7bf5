// The way from a step's backward passes to updated weights, as the config asks for it.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "configs/train.pb.h"
#include "dist/keep_grads.h"
#include "dist/process_mesh.h"
#include "dist/sharded_grads.h"
#include "dist/weight_shards.h"
#include "optim/optimizer.h"
#include "optim/update_in_backward.h"

namespace frond {

// Gradients are kept until the step's last pass (KeepGrads), kept by the rank that owns their rows
// (ShardedGrads, mesh.zero_stage: 2), or used up inside the pass (UpdateInBackward). All ranks of
// the mesh make the same calls.
class StepGradients {
 public:
  // Registers the optimizer for what this rank owns. All outlive the object; `axis` is the mesh's
  // tensor axis.
  StepGradients(Context& ctx, const config::Optimizer& config, ParamStore& store,
                Optimizer& optimizer, ProcessMesh& mesh, const TensorAxis& axis);

  // Returns the sink of the step's passes. `info` serves updates inside the pass.
  GradSink& StartStep(Context& ctx, const StepInfo& info);
  // Around each pass; every rank makes as many.
  void StartPass(bool is_last);
  void EndPass(Context& ctx);
  // The global norm of the step's gradients, over all ranks. An error names the first parameter
  // whose gradient is not finite.
  absl::StatusOr<double> Finish(Context& ctx);
  // Updates the masters of the step `info`, where the passes have not. The next pass makes the
  // weights known to all ranks as it goes.
  void Update(Context& ctx, const StepInfo& info);
  // How they become known.
  WeightShards& weights() { return weights_; }

 private:
  ConstView Grad(const Param& param) const;

  const ParamStore* store_;
  Optimizer* optimizer_;
  ProcessMesh* mesh_;
  TensorAxis axis_;
  WeightShards weights_;
  // One of them.
  std::unique_ptr<KeepGrads> kept_;
  std::unique_ptr<ShardedGrads> sharded_;
  std::unique_ptr<UpdateInBackward> in_backward_;
};

}  // namespace frond
