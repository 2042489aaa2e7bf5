#include "optim/adamw.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/ops/adamw.h"
#include "core/ops/elementwise.h"

namespace frond {

absl::Status CheckAdamWOptions(const AdamWOptions& options) {
  const auto refuse = [](absl::string_view field, double value, absl::string_view right) {
    return absl::InvalidArgumentError(absl::StrCat("adamw.", field, " = ", value, ": ", right));
  };
  // Negated, so that NaN is refused too.
  if (!(options.beta1 >= 0 && options.beta1 < 1)) {
    return refuse("beta1", options.beta1, "must lie in [0, 1)");
  }
  if (!(options.beta2 >= 0 && options.beta2 < 1)) {
    return refuse("beta2", options.beta2, "must lie in [0, 1)");
  }
  if (!(options.epsilon > 0)) return refuse("epsilon", options.epsilon, "must be positive");
  if (!(options.weight_decay >= 0)) {
    return refuse("weight_decay", options.weight_decay, "must not be negative");
  }
  return absl::OkStatus();
}

void AdamW::AddState(Context& ctx, const Param& param, const Owned& owned, DType dtype) {
  const Shape shape = OwnedShape(param.spec.shape, owned.slice);
  State state = {.name = param.name,
                 .slice = owned.slice,
                 .m = Tensor(ctx, shape, dtype, MemoryKind::kOptimizer),
                 .v = Tensor(ctx, shape, dtype, MemoryKind::kOptimizer)};
  Fill(ctx, 0, state.m);
  Fill(ctx, 0, state.v);
  states_.push_back(std::move(state));
}

std::vector<OptimizerSlot> AdamW::Slots() {
  std::vector<OptimizerSlot> slots;
  for (State& state : states_) {
    slots.push_back({absl::StrCat("adamw/m/", state.name), state.m, state.slice});
    slots.push_back({absl::StrCat("adamw/v/", state.name), state.v, state.slice});
  }
  return slots;
}

void AdamW::UpdateGroup(Context& ctx, std::span<const ParamUpdate> group, const StepInfo& info) {
  const double t = static_cast<double>(info.step + 1);
  AdamWStep step{
      .beta1 = options_.beta1,
      .beta2 = options_.beta2,
      .gradient_scale = info.gradient_scale,
      .step_size = info.learning_rate / (1.0 - std::pow(options_.beta1, t)),
      .root_unbias = 1.0 / std::sqrt(1.0 - std::pow(options_.beta2, t)),
      .epsilon = options_.epsilon,
      .keep = 1.0 - info.learning_rate * options_.weight_decay,
  };
  for (const ParamUpdate& update : group) {
    State& state = states_[static_cast<size_t>(update.param->index)];
    step.rounding_key = update.param->RoundingKey(ctx.rng);
    step.numbers = NumbersOf(state.slice);
    AdamWUpdate(ctx, update.grad, step, state.m, state.v, update.master);
  }
}

}  // namespace frond
