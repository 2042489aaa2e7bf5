#include "optim/update_in_backward.h"

#include <algorithm>
#include <cmath>

#include "core/base/check.h"
#include "core/base/status_macros.h"
#include "core/ops/elementwise.h"
#include "dist/gradient_sums.h"

namespace frond {

UpdateInBackward::UpdateInBackward(const ParamStore& store, Optimizer& optimizer,
                                   Communicator& data)
    : store_(&store), optimizer_(&optimizer), data_(&data) {}

void UpdateInBackward::StartStep(const StepInfo& info) {
  const size_t count = store_->params().size();
  info_ = info;
  status_ = absl::OkStatus();
  gradients_.resize(count);
  closed_.assign(count, false);
  squares_.assign(count, 0);
}

View UpdateInBackward::Open(Context& ctx, Param& param) {
  const auto index = static_cast<size_t>(param.index);
  CHECK_LT(index, closed_.size()) << param.name << ": no step was started";
  CHECK(!closed_[index]) << param.name << " gets a gradient after its update";
  Tensor& gradient = gradients_[index];
  if (gradient.empty()) {
    gradient = Tensor(ctx, param.shape, store_->master_dtype(), MemoryKind::kGradients);
    Fill(ctx, 0, gradient);
  }
  return gradient;
}

void UpdateInBackward::Close(Context& ctx, Param& param) {
  const View gradient = Open(ctx, param);
  const auto index = static_cast<size_t>(param.index);
  // Sums are the same bits on every rank, so all of them stop here together.
  if (status_.ok()) status_ = Apply(ctx, param, gradient);
  gradients_[index].Reset();
  closed_[index] = true;
}

absl::Status UpdateInBackward::Apply(Context& ctx, Param& param, View gradient) {
  SumOverRanks(ctx, *data_, gradient);
  ASSIGN_OR_RETURN(squares_[static_cast<size_t>(param.index)],
                   FiniteSumOfSquares(ctx, param, gradient));
  optimizer_->Update(ctx, param, gradient, info_);
  return absl::OkStatus();
}

absl::StatusOr<double> UpdateInBackward::Finish() {
  const auto open = std::find(closed_.begin(), closed_.end(), false) - closed_.begin();
  CHECK_EQ(static_cast<size_t>(open), store_->params().size())
      << "the pass did not close " << store_->params()[static_cast<size_t>(open)]->name;
  RETURN_IF_ERROR(status_);
  double squares = 0;
  for (const double sum : squares_) squares += sum;
  return std::sqrt(squares);
}

}  // namespace frond
