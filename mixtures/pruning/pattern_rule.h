// Drops rows by a regular expression.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "mixtures/pruning/rule.h"

namespace frond {

// A pattern that ICU cannot read is an error with the place. A row on which matching takes too many
// steps is an error of that row.
absl::StatusOr<std::unique_ptr<Rule>> MakePatternRule(const PatternOptions& options);

}  // namespace frond
