// Drops rows that are not written in the script of their language.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "mixtures/pruning/rule.h"

namespace frond {

// An `accept`ed script that Unicode does not know is an error.
absl::StatusOr<std::unique_ptr<Rule>> MakeScriptRule(const ScriptOptions& options);

}  // namespace frond
