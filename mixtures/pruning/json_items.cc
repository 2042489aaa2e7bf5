#include "mixtures/pruning/json_items.h"

#include "absl/strings/str_cat.h"

namespace frond {

std::string JsonLine(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void AppendJsonItems(absl::string_view name, const std::vector<nlohmann::ordered_json>& items,
                     bool last, std::string* text) {
  absl::StrAppend(text, "\"", name, "\": [");
  for (size_t i = 0; i < items.size(); ++i) {
    absl::StrAppend(text, i > 0 ? ",\n  " : "\n  ", JsonLine(items[i]));
  }
  absl::StrAppend(text, "\n]", last ? "\n" : ",\n");
}

}  // namespace frond
