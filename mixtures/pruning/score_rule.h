// Keeps the rows with the lowest, middle or highest scores of every group.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "mixtures/pruning/rule.h"

namespace frond {

// Ranks rows as EL2N does (Paul et al. 2021) or by perplexity (Marion et al., "When Less is More",
// 2023). Sees all rows before it decides; of rows with equal scores the earlier one counts as
// lower. Of n rows, `fraction` n stay, to the nearest. A row that reaches the rule and has no score
// is an error, and so is a file of scores that cannot be read. Memory: 17 to 34 bytes for each
// score in the file, and 16 for each row.
absl::StatusOr<std::unique_ptr<Rule>> MakeScoreRule(const ScoreOptions& options);

}  // namespace frond
