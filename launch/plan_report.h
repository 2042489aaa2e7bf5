// A plan as tables for people and as JSON for programs.
#pragma once

#include <string>

#include "launch/planner.h"

namespace frond {

// Lines that each end with a line feed. Of the candidates that can be trained, and of the others,
// the first `most` and the config's own are shown.
std::string FormatPlan(const Plan& plan, size_t most);

// One object; every candidate with all that is known of it, sizes in bytes, times in seconds.
std::string PlanToJson(const Plan& plan);

}  // namespace frond
