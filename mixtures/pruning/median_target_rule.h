// Drops whole templates whose targets are mostly a word.
#pragma once

#include <memory>

#include "mixtures/pruning/rule.h"

namespace frond {

// Aya's first criterion for pruning templates (Ustun et al. 2024, section 2.1): targets that are
// empty or of a word or two. Sees all rows before it decides; rows without a template pass by.
std::unique_ptr<Rule> MakeMedianTargetRule(const MedianTargetOptions& options);

}  // namespace frond
