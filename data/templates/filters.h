// Jinja's filters, `value | filter(arguments)`, and those that PromptSource adds to them.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/templates/arguments.h"
#include "data/templates/value.h"

namespace frond::templates {

bool IsFilter(absl::string_view name);
// Whether it draws: `choice` and `random`.
bool IsRandomFilter(absl::string_view name);

// Takes what it costs from `arguments.budget`. `draw`: 64 random bits for the filters that draw.
// They take element draw % n of n; nothing where there is none. A missing input is an error for all
// filters but `default`.
absl::StatusOr<Value> ApplyFilter(absl::string_view name, const Value& input,
                                  const Arguments& arguments, uint64_t draw);

}  // namespace frond::templates
