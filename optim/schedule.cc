#include "optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "absl/strings/str_cat.h"

namespace frond {
namespace {

// How far a decay from the end of warm-up to the last step has come, in [0, 1].
double Progress(const Schedule& schedule, int64_t step) {
  const int64_t span = std::max<int64_t>(schedule.total_steps - 1 - schedule.warmup_steps, 1);
  const double done = static_cast<double>(step - schedule.warmup_steps) / static_cast<double>(span);
  return std::clamp(done, 0.0, 1.0);
}

}  // namespace

absl::Status CheckSchedule(const Schedule& schedule) {
  const auto refuse = [](absl::string_view field, auto value, absl::string_view right) {
    return absl::InvalidArgumentError(absl::StrCat("schedule.", field, " = ", value, ": ", right));
  };
  if (!(schedule.learning_rate >= 0) || std::isinf(schedule.learning_rate)) {
    return refuse("learning_rate", schedule.learning_rate, "must be finite and not negative");
  }
  if (!(schedule.final_learning_rate >= 0) || std::isinf(schedule.final_learning_rate)) {
    return refuse("final_learning_rate", schedule.final_learning_rate,
                  "must be finite and not negative");
  }
  if (schedule.warmup_steps < 0) {
    return refuse("warmup_steps", schedule.warmup_steps, "must not be negative");
  }
  const bool decays =
      schedule.kind == Schedule::Kind::kLinear || schedule.kind == Schedule::Kind::kCosine;
  if (decays && schedule.warmup_steps >= schedule.total_steps) {
    return refuse("warmup_steps", schedule.warmup_steps,
                  absl::StrCat("must be less than steps = ", schedule.total_steps,
                               " where the rate decays after it"));
  }
  return absl::OkStatus();
}

double LearningRate(const Schedule& schedule, int64_t step) {
  const double peak = schedule.learning_rate, last = schedule.final_learning_rate;
  if (step < schedule.warmup_steps) {
    return peak * static_cast<double>(step) / static_cast<double>(schedule.warmup_steps);
  }
  switch (schedule.kind) {
    case Schedule::Kind::kConstant:
      return peak;
    case Schedule::Kind::kRsqrt: {
      const double warmup = static_cast<double>(std::max<int64_t>(schedule.warmup_steps, 1));
      return peak * std::sqrt(warmup / std::max(static_cast<double>(step), warmup));
    }
    case Schedule::Kind::kLinear:
      return peak + (last - peak) * Progress(schedule, step);
    case Schedule::Kind::kCosine:
      return last +
             (peak - last) * 0.5 * (1.0 + std::cos(std::numbers::pi * Progress(schedule, step)));
  }
  return peak;
}

}  // namespace frond
