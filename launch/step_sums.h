// The numbers that ranks add up once a step, in one collective: what they lost, what they saw of
// each language, and what one of them asks of all.
#pragma once

#include <cstddef>

namespace frond {

// Where a number stands; from kLanguages on the losses of all languages, then their tokens.
enum SumIndex : size_t { kLoss, kZLoss, kStop, kSave, kLanguages };

constexpr size_t NumStepSums(size_t languages) { return kLanguages + 2 * languages; }

}  // namespace frond
