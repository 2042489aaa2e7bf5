// Jinja's tests: `value is number`, `value is divisibleby 3`.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/templates/arguments.h"
#include "data/templates/value.h"

namespace frond::templates {

bool IsTest(absl::string_view name);
// `arguments.budget` is not null. Missing values are only `undefined`; other tests of them are an
// error.
absl::StatusOr<bool> ApplyTest(absl::string_view name, const Value& value,
                               const Arguments& arguments);

}  // namespace frond::templates
