// The numbers that ranks add up once a step, in one collective: what they lost, what they saw of
// each language and each template, and what one of them asks of all.
#pragma once

#include <cstddef>

namespace frond {

// Where a number stands; from kGroups on the losses of all groups, which are the languages and then
// the templates, and behind them the groups' tokens.
enum SumIndex : size_t { kLoss, kZLoss, kStop, kSave, kGroups };

constexpr size_t NumStepSums(size_t groups) { return kGroups + 2 * groups; }

}  // namespace frond
