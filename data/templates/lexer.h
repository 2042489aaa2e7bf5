// Cuts a Jinja template into text, tags and the tokens inside them, by the rules of Jinja's default
// environment: `-` inside a tag takes the white space on that side, a newline at the very end goes.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace frond::templates {

struct Token {
  enum class Kind {
    kText,        // outside of tags
    kPrintBegin,  // {{
    kPrintEnd,
    kTagBegin,  // {%
    kTagEnd,
    kName,
    kString,  // `text` has its escapes resolved
    kInteger,
    kFloat,
    kOperator,
    kEnd,
  };
  Kind kind = Kind::kEnd;
  std::string text;
  int line = 1;

  bool Is(Kind k, absl::string_view t) const { return kind == k && text == t; }
};

// Ends with a kEnd. Errors name the line.
absl::StatusOr<std::vector<Token>> Tokenize(absl::string_view source);

}  // namespace frond::templates
