#include "optim/update_in_backward.h"

#include <cmath>
#include <numeric>
#include <utility>

#include "core/base/check.h"
#include "core/base/status_macros.h"

namespace frond {

UpdateInBackward::UpdateInBackward(const ParamStore& store, Optimizer& optimizer,
                                   Communicator& data, const TensorAxis& tensor,
                                   int64_t bucket_elements)
    : store_(&store),
      optimizer_(&optimizer),
      buckets_(store, data, bucket_elements),
      parts_(tensor, store.shards().size > 1 ? &data : nullptr) {}

void UpdateInBackward::StartStep(const StepInfo& info) {
  info_ = info;
  status_ = absl::OkStatus();
  squares_.assign(store_->params().size(), 0);
  buckets_.StartPass([this](Context& ctx, std::span<const GradientBuckets::Complete> bucket) {
    // Sums are the same bits on every rank, so all of them stop here together.
    if (status_.ok()) status_ = UpdateBucket(ctx, bucket);
  });
}

absl::Status UpdateInBackward::UpdateBucket(Context& ctx,
                                            std::span<const GradientBuckets::Complete> bucket) {
  std::vector<const Param*> params;
  std::vector<ConstView> gradients;
  std::vector<ParamUpdate> updates;
  for (const auto& [param, gradient] : bucket) {
    params.push_back(param);
    gradients.push_back(gradient);
    updates.push_back({.param = param, .master = param->master(), .grad = gradient});
  }
  ASSIGN_OR_RETURN(const std::vector<double> squares, parts_.SumsOfSquares(ctx, params, gradients));
  for (size_t i = 0; i < params.size(); ++i) {
    squares_[static_cast<size_t>(params[i]->index)] = squares[i];
  }
  optimizer_->Update(ctx, updates, info_);
  return absl::OkStatus();
}

absl::StatusOr<double> UpdateInBackward::Finish(Context& ctx) {
  buckets_.EndPass(ctx);
  RETURN_IF_ERROR(status_);
  return std::sqrt(std::accumulate(squares_.begin(), squares_.end(), 0.0));
}

}  // namespace frond
