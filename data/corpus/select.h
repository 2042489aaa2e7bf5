// Which candidates of a language become rows: shares per task, caps on names and on territories.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "data/corpus/fact.h"

namespace frond::corpus {

// At most `max_rows` of the candidates, shared out by TaskWeight; what a poor task cannot fill goes
// to the others. Names are at most kMaxNameShare of the result and territories kMaxTerritoryShare.
inline constexpr double kMaxNameShare = 0.4;
inline constexpr double kMaxTerritoryShare = 0.25;
std::vector<Candidate> SelectRows(std::vector<Candidate> candidates, int max_rows, uint64_t seed);

enum class Split { kTrain, kValidation, kTest };

// 90 / 5 / 5 by the fact alone, whatever the seed.
Split SplitOfFact(absl::string_view fact);

}  // namespace frond::corpus
