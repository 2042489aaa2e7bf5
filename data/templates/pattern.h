// Plain patterns: text with fields of a row in braces.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/templates/value.h"

namespace frond::templates {

class Pattern {
 public:
  // `{field}`; `{field.key.0}` for what lies inside of maps and lists, where the row has no field
  // of that whole name; `{{` and `}}` are braces.
  static absl::StatusOr<Pattern> Parse(absl::string_view text);

  // Numbers and booleans as JSON writes them. Errors: a field that is missing or null, a list or
  // map where text is expected.
  absl::StatusOr<std::string> Render(const Json& row) const;

 private:
  // Literal text, and the field behind it, empty in the last part.
  struct Part {
    std::string text;
    std::string field;
  };
  std::vector<Part> parts_;
};

}  // namespace frond::templates
