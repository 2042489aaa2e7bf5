// Drops rows whose normalised text was seen before, among the rows or in the evaluation sets.
#pragma once

#include <memory>

#include "mixtures/pruning/rule.h"

namespace frond {

// Texts are compared by 64-bit hashes: among 200 million rows the chance that any two different
// ones share one is about 0.1 %.
std::unique_ptr<Rule> MakeExactDuplicateRule(const ExactDuplicateOptions& options,
                                             const RuleContext& context);

// "repeats row 17 of tatoeba", or "... of evaluation set xquad".
std::string RepeatReason(absl::string_view verb, int source, int64_t row,
                         const RuleContext& context);

// A place in 64 bits: 23 bits of source, 41 of row.
uint64_t PackPlace(int source, int64_t row);
int PackedSource(uint64_t place);
int64_t PackedRow(uint64_t place);

}  // namespace frond
