// JSON as ledgers and manifests have it: one item a line, so that two files can be compared by
// their lines.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace frond {

// On one line, without spaces between its parts; bytes that are no UTF-8 become U+FFFD.
std::string JsonLine(const nlohmann::ordered_json& json);

// Appends the field `name` of an object, a list of `items`; `last`: no field follows.
void AppendJsonItems(absl::string_view name, const std::vector<nlohmann::ordered_json>& items,
                     bool last, std::string* text);

}  // namespace frond
