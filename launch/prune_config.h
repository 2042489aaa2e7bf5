// From the configuration of `frond prune` (configs/prune_config.proto) to what mixtures/pruning is
// asked.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "configs/prune.pb.h"
#include "mixtures/pruning/pruner.h"

namespace frond {

// Reads the file and expands its globs. Unknown fields, missing ones and values out of bounds are
// errors of one line that begins with the file. `threads` is 0 where the config leaves it open.
absl::StatusOr<PruneOptions> ReadPruneConfig(const std::string& path);

// The same for text that is at hand; `file` is what errors call it.
absl::StatusOr<PruneOptions> ParsePruneConfig(absl::string_view text, absl::string_view file);

// Rules as they stand in a config, wherever it is. Errors name the rule or its field.
absl::StatusOr<std::vector<RuleOptions>> MakePruneRules(
    const google::protobuf::RepeatedPtrField<config::PruneRule>& config);

}  // namespace frond
