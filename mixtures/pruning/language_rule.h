// Drops rows that are not written in the language that they declare.
#pragma once

#include <memory>

#include "mixtures/pruning/language_scorer.h"
#include "mixtures/pruning/rule.h"

namespace frond {

// Sees all rows before it decides: `scorer` learns every language from the rows that declare it and
// reach the rule, whatever the rule is limited to. A row is then judged without what it taught.
std::unique_ptr<Rule> MakeLanguageRule(const LanguageOptions& options,
                                       std::unique_ptr<LanguageScorer> scorer);

}  // namespace frond
