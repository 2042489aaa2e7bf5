// The learning rate as a function of the step.
#pragma once

#include <cstdint>

#include "absl/status/status.h"

namespace frond {

struct Schedule {
  enum class Kind : uint8_t { kConstant, kRsqrt, kLinear, kCosine };
  Kind kind = Kind::kConstant;
  double learning_rate = 3e-4;  // the peak
  int64_t warmup_steps = 0;     // linear from 0
  double final_learning_rate = 0;
  int64_t total_steps = 0;  // of the whole run
};

absl::Status CheckSchedule(const Schedule& schedule);

// The rate of update `step` (updates made before it). During warm-up peak * step / warmup_steps,
// then
//   kConstant  peak
//   kRsqrt     peak * sqrt(w / max(step, w)) with w = max(warmup_steps, 1)
//   kLinear    from the peak to final_learning_rate at step total_steps - 1, and that after it
//   kCosine    likewise along half a cosine
double LearningRate(const Schedule& schedule, int64_t step);

}  // namespace frond
