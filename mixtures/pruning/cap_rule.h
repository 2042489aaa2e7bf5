// Keeps at most so many rows of every language, source or template.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "mixtures/pruning/rule.h"

namespace frond {

// A random choice depends on the seed and on the rows themselves, not on their order: a row that is
// chosen among many stays chosen when others go. Equal rows are told apart by their order. All
// choices but FIRST see all rows before they decide; their memory is in proportion to the rows they
// keep, and to the file of scores where the choice is by them. A row without a score is an error.
absl::StatusOr<std::unique_ptr<Rule>> MakeCapRule(const CapOptions& options,
                                                  const RuleContext& context);

}  // namespace frond
