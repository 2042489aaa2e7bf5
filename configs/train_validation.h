// Is this config one that can be run? Everything that can be said without opening a file.
#pragma once

#include "absl/status/status.h"
#include "configs/train.pb.h"

namespace frond {

// Checks a config after ResolveDefaults: required fields, ranges, weights, one model to start from.
// The error names the field's path, its value and what would be right. Not checked here: that files
// exist, names of presets, and the mesh against the number of ranks.
absl::Status ValidateTrainConfig(const config::TrainConfig& config);

}  // namespace frond
