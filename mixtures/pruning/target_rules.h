// Drops rows by their template, and rows whose target teaches nothing.
#pragma once

#include <memory>

#include "mixtures/pruning/rule.h"

namespace frond {

std::unique_ptr<Rule> MakeTemplateRule(const TemplateOptions& options);
std::unique_ptr<Rule> MakeTargetRule(const TargetOptions& options);

}  // namespace frond
