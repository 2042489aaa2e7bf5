// Drops rows that are nearly the same as an earlier one, or as a row of the evaluation sets.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "mixtures/pruning/rule.h"

namespace frond {

// Locality-sensitive hashing over MinHash signatures: texts that agree in all values of at least
// one band are candidates; each is checked by the exact Jaccard similarity of the two texts'
// character n-grams, so no row is dropped by an estimate. Texts that stay lie in a temporary file
// in `context.scratch_dir`; in memory lie 24 bytes a text, and 8 bytes for each band in tables that
// are at most three quarters full. A text is compared with at most kMaxNearCandidates candidates,
// and a band keeps at most 16 texts of one value, with `within_source` of each source.
constexpr size_t kMaxNearCandidates = 64;
absl::StatusOr<std::unique_ptr<Rule>> MakeNearDuplicateRule(const NearDuplicateOptions& options,
                                                            const RuleContext& context);

}  // namespace frond
