// The optimizer and learning-rate schedule that a config names.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "configs/train.pb.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"

namespace frond {

absl::StatusOr<std::unique_ptr<Optimizer>> BuildOptimizer(const config::Optimizer& config);

absl::StatusOr<Schedule> BuildSchedule(const config::Schedule& config, int64_t total_steps);

}  // namespace frond
