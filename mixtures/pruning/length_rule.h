// Drops rows that are too short, too long, or out of proportion.
#pragma once

#include <memory>

#include "mixtures/pruning/rule.h"

namespace frond {

std::unique_ptr<Rule> MakeLengthRule(const LengthOptions& options);

}  // namespace frond
