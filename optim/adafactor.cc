#include "optim/adafactor.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/ops/adafactor.h"
#include "core/ops/elementwise.h"

namespace frond {
namespace {

Tensor Zeros(Context& ctx, const Shape& shape, DType dtype) {
  Tensor zeros(ctx, shape, dtype, MemoryKind::kOptimizer);
  Fill(ctx, 0, zeros);
  return zeros;
}

template <class T>
absl::Status Refuse(absl::string_view field, T value, absl::string_view right) {
  return absl::InvalidArgumentError(absl::StrCat("adafactor.", field, " = ", value, ": ", right));
}

}  // namespace

absl::Status CheckAdafactorOptions(const AdafactorOptions& options) {
  // Negated, so that NaN is refused too.
  if (!(options.decay_exponent > 0)) {
    return Refuse("decay_exponent", options.decay_exponent, "must be positive");
  }
  if (!(options.clipping_threshold >= 0)) {
    return Refuse("clipping_threshold", options.clipping_threshold, "must be 0 (off) or positive");
  }
  // It keeps zero gradients from dividing zero by zero, so it must be a number in f32.
  if (!(options.epsilon_squared_gradient >= 1e-37)) {
    return Refuse("epsilon_squared_gradient", options.epsilon_squared_gradient,
                  "must be at least 1e-37");
  }
  if (!(options.epsilon_parameter >= 0)) {
    return Refuse("epsilon_parameter", options.epsilon_parameter, "must not be negative");
  }
  if (options.min_dim_size_to_factor < 1) {
    return Refuse("min_dim_size_to_factor", options.min_dim_size_to_factor, "must be at least 1");
  }
  if (options.step_offset < 0) {
    return Refuse("step_offset", options.step_offset, "must not be negative");
  }
  if (!(options.weight_decay_rate >= 0 && options.weight_decay_rate < 1)) {
    return Refuse("weight_decay_rate", options.weight_decay_rate, "must lie in [0, 1)");
  }
  return absl::OkStatus();
}

absl::Status Adafactor::CheckFirstStep(int64_t step) const {
  if (options_.step_offset <= step) return absl::OkStatus();
  return Refuse("step_offset", options_.step_offset,
                absl::StrCat("must not exceed the step that the run has reached, ", step));
}

bool Adafactor::IsFactored(const Shape& shape) const {
  CHECK_LE(shape.rank(), 2) << "no factoring rule for a parameter of shape " << shape;
  return shape.rank() == 2 &&
         std::min(shape.dim(0), shape.dim(1)) >= options_.min_dim_size_to_factor;
}

void Adafactor::Register(Context& ctx, const ParamStore& store) {
  CHECK(states_.empty()) << "registered twice";
  for (const auto& param : store.params()) {
    const Shape& shape = param->spec.shape;
    State state;
    state.name = param->name;
    if (IsFactored(shape)) {
      state.row = Zeros(ctx, {shape.dim(0)}, store.master_dtype());
      state.col = Zeros(ctx, {shape.dim(1)}, store.master_dtype());
    } else {
      state.full = Zeros(ctx, shape, store.master_dtype());
    }
    states_.push_back(std::move(state));
  }
}

std::vector<OptimizerSlot> Adafactor::Slots() {
  std::vector<OptimizerSlot> slots;
  for (State& state : states_) {
    if (state.full.empty()) {
      slots.push_back({absl::StrCat("adafactor/v_row/", state.name), state.row});
      slots.push_back({absl::StrCat("adafactor/v_col/", state.name), state.col});
    } else {
      slots.push_back({absl::StrCat("adafactor/v/", state.name), state.full});
    }
  }
  return slots;
}

double Adafactor::Decay(int64_t step) const {
  const int64_t t = step - options_.step_offset + 1;
  CHECK_GE(t, 1) << "step " << step << " before step_offset " << options_.step_offset;
  return 1.0 - std::pow(static_cast<double>(t), -options_.decay_exponent);
}

void Adafactor::Update(Context& ctx, Param& param, ConstView grad, const StepInfo& info) {
  CHECK_LT(static_cast<size_t>(param.index), states_.size()) << param.name << " is not registered";
  State& state = states_[static_cast<size_t>(param.index)];
  CHECK_EQ(state.name, param.name);
  CHECK_EQ(grad.shape, param.value.shape()) << param.name;
  const AdafactorStep step = {.decay = Decay(info.step),
                              .gradient_scale = info.gradient_scale,
                              .epsilon = options_.epsilon_squared_gradient,
                              .learning_rate = info.learning_rate,
                              .clipping_threshold = options_.clipping_threshold,
                              .multiply_by_parameter_scale = options_.multiply_by_parameter_scale,
                              .epsilon_parameter = options_.epsilon_parameter,
                              .keep = 1.0 - options_.weight_decay_rate,
                              .rounding_key = param.RoundingKey(ctx.rng)};
  if (state.full.empty()) {
    AdafactorUpdateFactored(ctx, grad, step, state.row, state.col, param.master());
  } else {
    AdafactorUpdateUnfactored(ctx, grad, step, state.full, param.master());
  }
}

}  // namespace frond
