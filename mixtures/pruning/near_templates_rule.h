// Drops whole templates that say nearly the same as another one of their dataset.
#pragma once

#include <memory>

#include "mixtures/pruning/rule.h"

namespace frond {

// Aya's second criterion for pruning templates (Ustun et al. 2024, section 2.1), which reviewers
// judged there. Here a template's own text is estimated: the character n-grams, after
// NormalizeText, of nearly all of its inputs. The shortest inputs serve, since in them the least of
// what a row fills in is there by chance. A template whose own text overlaps with that of one that
// stays goes; those with more rows come first, then those with the lesser name. Templates with next
// to no text of their own ("{question} {context}") stay.
//
// Sees all rows before it decides; rows without a template pass by. Memory: `sample` inputs of each
// dataset, template and language.
std::unique_ptr<Rule> MakeNearTemplatesRule(const NearTemplatesOptions& options);

}  // namespace frond
