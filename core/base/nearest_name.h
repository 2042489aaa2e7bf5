// "Did you mean": the known name that is closest to a mistyped one.
#pragma once

#include <span>
#include <string>

#include "absl/strings/string_view.h"

namespace frond {

// The name with the smallest edit distance to `wanted` (Damerau-Levenshtein, case-insensitive);
// empty where `names` is empty.
std::string NearestName(absl::string_view wanted, std::span<const std::string> names);

}  // namespace frond
