// The syntax tree of a Jinja template.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/templates/value.h"

namespace frond::templates {

struct Expression {
  enum class Kind {
    kConstant,     // constant
    kName,         // name
    kList,         // operands
    kMap,          // operands: key, value, key, value, ...
    kAttribute,    // operands[0].name
    kItem,         // operands[0][operands[1]]
    kSlice,        // operands[0][operands[1]:operands[2]:operands[3]], null where not given
    kFilter,       // operands[0] | name(operands[1...], named)
    kTest,         // operands[0] is name(operands[1...])
    kMethod,       // operands[0].name(operands[1...], named)
    kFunction,     // name(operands..., named)
    kNot,          // not operands[0]
    kNegative,     // -operands[0]
    kArithmetic,   // operands[0] name operands[1]
    kJoined,       // operands[0] ~ operands[1] ~ ...
    kComparison,   // operands[0] names[0] operands[1] names[1] operands[2] ...
    kAnd,          // of two operands
    kOr,           // of two operands
    kConditional,  // operands[0] if operands[1] else operands[2], which may be null
  };
  Kind kind = Kind::kConstant;
  std::string name;
  Value constant;
  std::vector<std::unique_ptr<Expression>> operands;
  std::vector<std::pair<std::string, std::unique_ptr<Expression>>> named;
  std::vector<std::string> names;
  int line = 0;
};

struct Statement {
  enum class Kind {
    kText,       // text
    kSeparator,  // |||
    kPrint,      // expression
    kIf,         // expression; body and otherwise
    kFor,        // for targets in expression if condition: body, else otherwise
    kSet,        // set targets = expression, or where there is none: = what body renders to
  };
  Kind kind = Kind::kText;
  std::string text;
  std::unique_ptr<Expression> expression;
  std::unique_ptr<Expression> condition;
  std::vector<std::string> targets;  // `a.b` sets a value in a namespace
  std::vector<Statement> body;
  std::vector<Statement> otherwise;
};

struct Syntax {
  std::vector<Statement> body;
  bool draws = false;  // whether it makes random choices
};

// Parses what the evaluator can do; an unknown tag, filter, test, method or function and every
// construct outside the subset is an error that names it and its line. `separate` makes `|||` in
// the text a separator.
absl::StatusOr<Syntax> ParseJinja(absl::string_view source, bool separate);

}  // namespace frond::templates
