#include "data/templates/pattern.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/status_macros.h"
#include "data/templates/python_text.h"

namespace frond::templates {
namespace {

absl::Status Bad(std::string message) { return absl::InvalidArgumentError(std::move(message)); }

// What `field` names in the row; null where it is not there.
const Json* Find(const Json& row, const std::string& field) {
  const auto whole = row.find(field);
  if (whole != row.end()) return &*whole;
  const Json* at = &row;
  for (const absl::string_view key : absl::StrSplit(field, '.')) {
    size_t index = 0;
    if (at->is_object() && at->contains(std::string(key))) {
      at = &(*at)[std::string(key)];
    } else if (at->is_array() && absl::SimpleAtoi(key, &index) && index < at->size()) {
      at = &(*at)[index];
    } else {
      return nullptr;
    }
  }
  return at;
}

}  // namespace

absl::StatusOr<Pattern> Pattern::Parse(absl::string_view text) {
  Pattern pattern;
  std::string literal;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool doubled = i + 1 < text.size() && text[i + 1] == c;
    if ((c == '{' || c == '}') && doubled) {
      literal.push_back(c);
      ++i;
    } else if (c == '}') {
      return Bad(absl::StrCat("'}' without '{' in '", text, "'; write '}}' for a brace"));
    } else if (c == '{') {
      const size_t end = text.find('}', i);
      if (end == absl::string_view::npos) {
        return Bad(absl::StrCat("'{' without '}' in '", text, "'; write '{{' for a brace"));
      }
      const absl::string_view field = StripSpace(text.substr(i + 1, end - i - 1));
      if (field.empty() || field.find_first_of("{!") != absl::string_view::npos) {
        return Bad(absl::StrCat("'{", text.substr(i + 1, end - i - 1), "}' names no field"));
      }
      pattern.parts_.push_back({std::move(literal), std::string(field)});
      literal.clear();
      i = end;
    } else {
      literal.push_back(c);
    }
  }
  pattern.parts_.push_back({std::move(literal), ""});
  return pattern;
}

absl::StatusOr<std::string> Pattern::Render(const Json& row) const {
  std::string text;
  for (const Part& part : parts_) {
    text += part.text;
    if (part.field.empty()) continue;
    const Json* value = Find(row, part.field);
    if (value == nullptr) {
      return absl::NotFoundError(absl::StrCat("there is no field '", part.field, "'"));
    }
    if (value->is_null()) {
      return absl::NotFoundError(absl::StrCat("the field '", part.field, "' is null"));
    }
    if (value->is_structured()) {
      return Bad(absl::StrCat("the field '", part.field, "' is ", KindOf(*value), ", not text"));
    }
    text += value->is_string() ? value->get_ref<const std::string&>() : value->dump();
  }
  return text;
}

}  // namespace frond::templates
