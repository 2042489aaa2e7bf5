// Methods of Python's str, list and dict, and functions, that templates may call.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/templates/arguments.h"
#include "data/templates/python_text.h"
#include "data/templates/value.h"

namespace frond::templates {

bool IsMethod(absl::string_view name);
// `value.name(arguments)`; `value` is present, and `arguments.budget` not null. An error where its
// kind has no such method.
absl::StatusOr<Value> CallMethod(absl::string_view name, const Value& value,
                                 const Arguments& arguments);

// str.strip() or with `end` lstrip() and rstrip(), and str.replace(): filters as well.
absl::StatusOr<Value> CallStrip(absl::string_view text, const Arguments& arguments, End end);
absl::StatusOr<Value> CallReplace(absl::string_view text, const Arguments& arguments);

// range, zip, dict and namespace; the last two make maps.
bool IsFunction(absl::string_view name);
absl::StatusOr<Value> CallFunction(absl::string_view name, const Arguments& arguments);

}  // namespace frond::templates
