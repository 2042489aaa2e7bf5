// The flags --config, --set and --device that train and eval share.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "configs/train.pb.h"
#include "launch/flags.h"

namespace frond {

std::vector<FlagSpec> ConfigFlags();

// Reads, resolves and validates the config that the flags name.
absl::StatusOr<config::TrainConfig> ReadConfigOfFlags(const Flags& flags);

}  // namespace frond
