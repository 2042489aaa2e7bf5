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

void AdamW::Register(Context& ctx, const ParamStore& store) {
  CHECK(states_.empty()) << "registered twice";
  for (const auto& param : store.params()) {
    const Shape& shape = param->shape;
    State state;
    state.name = param->name;
    state.m = Tensor(ctx, shape, store.master_dtype(), MemoryKind::kOptimizer);
    state.v = Tensor(ctx, shape, store.master_dtype(), MemoryKind::kOptimizer);
    Fill(ctx, 0, state.m);
    Fill(ctx, 0, state.v);
    states_.push_back(std::move(state));
  }
}

std::vector<OptimizerSlot> AdamW::Slots() {
  std::vector<OptimizerSlot> slots;
  for (State& state : states_) {
    slots.push_back({absl::StrCat("adamw/m/", state.name), state.m});
    slots.push_back({absl::StrCat("adamw/v/", state.name), state.v});
  }
  return slots;
}

void AdamW::Update(Context& ctx, Param& param, ConstView grad, const StepInfo& info) {
  CHECK_LT(static_cast<size_t>(param.index), states_.size()) << param.name << " is not registered";
  State& state = states_[static_cast<size_t>(param.index)];
  CHECK_EQ(state.name, param.name);
  CHECK_EQ(grad.shape, param.value.shape()) << param.name;
  const double t = static_cast<double>(info.step + 1);
  const AdamWStep step{
      .beta1 = options_.beta1,
      .beta2 = options_.beta2,
      .gradient_scale = info.gradient_scale,
      .step_size = info.learning_rate / (1.0 - std::pow(options_.beta1, t)),
      .root_unbias = 1.0 / std::sqrt(1.0 - std::pow(options_.beta2, t)),
      .epsilon = options_.epsilon,
      .keep = 1.0 - info.learning_rate * options_.weight_decay,
      .rounding_key = param.RoundingKey(ctx.rng),
  };
  AdamWUpdate(ctx, grad, step, state.m, state.v, param.master());
}

}  // namespace frond
