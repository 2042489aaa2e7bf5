#include "data/templates/predicates.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "data/templates/python_text.h"

namespace frond::templates {
namespace {

// Comparisons by the names that tests have for them.
struct NamedComparison {
  absl::string_view name;
  absl::string_view op;
};
constexpr NamedComparison kComparisons[] = {
    {"equalto", "=="}, {"eq", "=="},      {"sameas", "=="},     {"ne", "!="}, {"lt", "<"},
    {"le", "<="},      {"lessthan", "<"}, {"greaterthan", ">"}, {"gt", ">"},  {"ge", ">="}};

constexpr absl::string_view kPlain[] = {
    "defined",     "undefined", "none",   "true",     "false",   "boolean", "number",
    "integer",     "float",     "string", "lower",    "upper",   "mapping", "odd",
    "divisibleby", "even",      "in",     "sequence", "iterable"};

absl::string_view OperatorOf(absl::string_view name) {
  for (const NamedComparison& comparison : kComparisons) {
    if (comparison.name == name) return comparison.op;
  }
  return "";
}

absl::StatusOr<bool> Divides(const Json& value, const Json& divisor, Budget* budget) {
  ASSIGN_OR_RETURN(const Json rest, Arithmetic("%", value, divisor, budget));
  return !Truth(rest);
}

bool IsOfKind(absl::string_view name, const Json& json) {
  if (name == "none") return json.is_null();
  if (name == "true" || name == "false") return json == (name == "true");
  if (name == "boolean") return json.is_boolean();
  if (name == "number") return IsNumber(json);
  if (name == "integer") return json.is_number_integer();
  if (name == "float") return json.is_number_float();
  if (name == "string") return json.is_string();
  if (name == "lower") return IsLower(Str(json));
  if (name == "upper") return IsUpper(Str(json));
  if (name == "mapping") return json.is_object();
  return json.is_structured() || json.is_string();  // sequence, iterable
}

}  // namespace

bool IsTest(absl::string_view name) {
  return !OperatorOf(name).empty() ||
         std::find(std::begin(kPlain), std::end(kPlain), name) != std::end(kPlain);
}

absl::StatusOr<bool> ApplyTest(absl::string_view name, const Value& value,
                               const Arguments& arguments) {
  if (name == "defined") return value.is_defined();
  if (name == "undefined") return !value.is_defined();
  if (value.is_missing()) {
    return absl::NotFoundError(absl::StrCat("there is no ", value.what()));
  }
  const absl::string_view op = OperatorOf(name);
  const bool binary = !op.empty() || name == "in" || name == "divisibleby";
  if (arguments.positional.size() != (binary ? 1 : 0) || !arguments.named.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the test '", name, "' takes ", binary ? "one argument" : "no arguments"));
  }
  if (value.is_nothing()) return name == "sequence" || name == "iterable" || op == "!=";
  const Json& json = value.json();
  Budget* budget = arguments.budget;
  if (!op.empty()) return Compares(op, json, arguments.positional[0].json(), budget);
  if (name == "in") return Contains(arguments.positional[0].json(), json, budget);
  if (name == "divisibleby") return Divides(json, arguments.positional[0].json(), budget);
  if (name == "even") return Divides(json, Json(2), budget);
  if (name == "odd") {
    ASSIGN_OR_RETURN(const bool even, Divides(json, Json(2), budget));
    return !even;
  }
  if (name == "lower" || name == "upper") {
    RETURN_IF_ERROR(budget->TakeFor(json, Budget::kLetter));
  }
  return IsOfKind(name, json);
}

}  // namespace frond::templates
