#include "launch/optimizer_builder.h"

#include "core/base/status_macros.h"
#include "optim/adafactor.h"
#include "optim/adamw.h"

namespace frond {
namespace {

Schedule::Kind KindOf(config::Schedule::Kind kind) {
  switch (kind) {
    case config::Schedule::RSQRT:
      return Schedule::Kind::kRsqrt;
    case config::Schedule::LINEAR:
      return Schedule::Kind::kLinear;
    case config::Schedule::COSINE:
      return Schedule::Kind::kCosine;
    default:
      return Schedule::Kind::kConstant;
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Optimizer>> BuildOptimizer(const config::Optimizer& config) {
  if (config.has_adamw()) {
    const config::AdamW& adamw = config.adamw();
    const AdamWOptions options = {.beta1 = adamw.beta1(),
                                  .beta2 = adamw.beta2(),
                                  .epsilon = adamw.epsilon(),
                                  .weight_decay = adamw.weight_decay()};
    RETURN_IF_ERROR(CheckAdamWOptions(options));
    return std::make_unique<AdamW>(options);
  }
  const config::Adafactor& adafactor = config.adafactor();
  const AdafactorOptions options = {
      .decay_exponent = adafactor.decay_exponent(),
      .clipping_threshold = adafactor.clipping_threshold(),
      .epsilon_squared_gradient = adafactor.epsilon_squared_gradient(),
      .epsilon_parameter = adafactor.epsilon_parameter(),
      .multiply_by_parameter_scale = adafactor.multiply_by_parameter_scale(),
      .min_dim_size_to_factor = adafactor.min_dim_size_to_factor(),
      .step_offset = adafactor.step_offset(),
      .weight_decay_rate = adafactor.weight_decay_rate()};
  RETURN_IF_ERROR(CheckAdafactorOptions(options));
  return std::make_unique<Adafactor>(options);
}

absl::StatusOr<Schedule> BuildSchedule(const config::Schedule& config, int64_t total_steps) {
  const Schedule schedule = {.kind = KindOf(config.kind()),
                             .learning_rate = config.learning_rate(),
                             .warmup_steps = config.warmup_steps(),
                             .final_learning_rate = config.final_learning_rate(),
                             .total_steps = total_steps};
  RETURN_IF_ERROR(CheckSchedule(schedule));
  return schedule;
}

}  // namespace frond
