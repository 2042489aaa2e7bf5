#include "launch/step_gradients.h"

#include <vector>

namespace frond {

StepGradients::StepGradients(Context& ctx, const config::Optimizer& config, ParamStore& store,
                             Optimizer& optimizer, ProcessMesh& mesh, const TensorAxis& axis)
    : store_(&store),
      optimizer_(&optimizer),
      mesh_(&mesh),
      axis_(axis),
      weights_(store, mesh.data()) {
  const bool is_sharded = store.shards().size > 1;
  Ownership ownership = {.tensor = &mesh.tensor()};
  if (is_sharded) {
    ownership.slice = [](const Param& param) { return param.owned; };
    ownership.data = &mesh.data();
  }
  optimizer.Register(ctx, store, std::move(ownership));
  if (config.update_in_backward()) {
    in_backward_ = std::make_unique<UpdateInBackward>(store, optimizer, mesh.data(), axis);
  } else if (is_sharded) {
    sharded_ = std::make_unique<ShardedGrads>(ctx, store, mesh.data(), axis);
  } else {
    kept_ = std::make_unique<KeepGrads>(ctx, store);
  }
}

GradSink& StepGradients::StartStep(Context& ctx, const StepInfo& info) {
  if (in_backward_ != nullptr) {
    in_backward_->StartStep(info);
    return *in_backward_;
  }
  if (sharded_ != nullptr) {
    sharded_->StartStep(ctx);
    return *sharded_;
  }
  kept_->StartStep(ctx);
  return *kept_;
}

void StepGradients::StartPass(bool is_last) {
  if (sharded_ != nullptr) sharded_->StartPass();
  if (kept_ != nullptr && is_last && mesh_->data().IsAsynchronous()) {
    kept_->StartLastPass(mesh_->data());
  }
}

void StepGradients::EndPass(Context& ctx) {
  if (sharded_ != nullptr) sharded_->EndPass(ctx);
}

absl::StatusOr<double> StepGradients::Finish(Context& ctx) {
  if (in_backward_ != nullptr) return in_backward_->Finish(ctx);
  if (sharded_ != nullptr) return sharded_->Finish(ctx);
  return kept_->Finish(ctx, mesh_->data(), axis_);
}

ConstView StepGradients::Grad(const Param& param) const {
  return sharded_ != nullptr ? sharded_->Grad(param) : kept_->Grad(param);
}

void StepGradients::Update(Context& ctx, const StepInfo& info) {
  if (in_backward_ == nullptr) {
    std::vector<ParamUpdate> updates;
    for (const auto& param : store_->params()) {
      updates.push_back({.param = param.get(), .master = param->master(), .grad = Grad(*param)});
    }
    optimizer_->Update(ctx, updates, info);
  }
  weights_.MarkChanged(ctx);
}

}  // namespace frond
