#include "data/templates/filters.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/status_macros.h"
#include "data/templates/methods.h"
#include "data/templates/predicates.h"
#include "data/templates/python_text.h"

namespace frond::templates {
namespace {

using Result = absl::StatusOr<Value>;

absl::Status Bad(std::string message) { return absl::InvalidArgumentError(std::move(message)); }
Value Of(Json json) { return Value(std::move(json)); }

// What `attribute` names below a value: keys and indices with dots between them.
Result Attribute(const Value& value, absl::string_view path, Budget* budget) {
  RETURN_IF_ERROR(budget->Take(Budget::kStep, static_cast<int64_t>(path.size())));
  Value at = value;
  for (const absl::string_view key : absl::StrSplit(path, '.')) {
    int64_t index = 0;
    const bool is_index = absl::SimpleAtoi(key, &index);
    ASSIGN_OR_RETURN(at, Item(at, is_index ? Json(index) : Json(std::string(key)), budget));
    if (at.is_missing()) return absl::NotFoundError(absl::StrCat("there is no ", at.what()));
  }
  return at;
}

// What a value prints as; nothing prints as no text.
std::string TextOf(const Value& value) { return value.is_nothing() ? "" : Str(value.json()); }

// The elements of `input`, or what `attribute` names below each.
absl::StatusOr<std::vector<Value>> ElementsOf(const Value& input, const Arguments& arguments,
                                              size_t place) {
  ASSIGN_OR_RETURN(std::vector<Value> elements, Elements(input, arguments.budget));
  const Json* attribute = arguments.Find(place, "attribute");
  if (attribute == nullptr) return elements;
  const std::string path = Str(*attribute);
  for (Value& element : elements) {
    ASSIGN_OR_RETURN(element, Attribute(element, path, arguments.budget));
  }
  return elements;
}

Value ListOf(const std::vector<Value>& elements) {
  Json list = Json::array();
  for (const Value& element : elements) list.push_back(element.json());
  return Of(std::move(list));
}

// What elements are compared by: letter case does not count unless it is asked to.
Json SortKey(const Json& json, bool case_sensitive) {
  if (case_sensitive || !json.is_string()) return json;
  return Lower(json.get_ref<const std::string&>());
}

// --- text ---

Result LowerFilter(const Value& input, const Arguments& arguments, uint64_t) {
  RETURN_IF_ERROR(arguments.Check(0, {}));
  return Of(Lower(TextOf(input)));
}
Result UpperFilter(const Value& input, const Arguments& arguments, uint64_t) {
  RETURN_IF_ERROR(arguments.Check(0, {}));
  return Of(Upper(TextOf(input)));
}
Result CapitalizeFilter(const Value& input, const Arguments& arguments, uint64_t) {
  RETURN_IF_ERROR(arguments.Check(0, {}));
  return Of(Capitalize(TextOf(input)));
}
Result TitleFilter(const Value& input, const Arguments& arguments, uint64_t) {
  RETURN_IF_ERROR(arguments.Check(0, {}));
  return Of(TitleWords(TextOf(input)));
}
Result StringFilter(const Value& input, const Arguments& arguments, uint64_t) {
  RETURN_IF_ERROR(arguments.Check(0, {}));
  return Of(TextOf(input));
}
Result TrimFilter(const Value& input, const Arguments& arguments, uint64_t) {
  return CallStrip(TextOf(input), arguments, End::kBoth);
}
Result ReplaceFilter(const Value& input, const Arguments& arguments, uint64_t) {
  return CallReplace(TextOf(input), arguments);
}

// --- numbers ---

Result IntFilter(const Value& input, const Arguments& arguments, uint64_t) {
  RETURN_IF_ERROR(arguments.Check(0, {"default"}));
  ASSIGN_OR_RETURN(const int64_t otherwise, arguments.Integer(0, "default", 0));
  const Json& json = input.json();
  if (IsInteger(json)) return Of(IntegerOf(json));
  double number = 0;
  if (json.is_number()) {
    number = FloatOf(json);
  } else {
    const std::string text = json.is_string() ? json.get<std::string>() : "";
    int64_t whole = 0;
    if (absl::SimpleAtoi(StripSpace(text), &whole)) return Of(whole);
    if (!absl::SimpleAtod(StripSpace(text), &number)) return Of(otherwise);
  }
  if (!std::isfinite(number)) return Of(otherwise);
  constexpr double kLimit = 9223372036854775808.0;  // 2^63
  if (number < -kLimit || number >= kLimit) return Bad(absl::StrCat(Str(json), " is too large"));
  return Of(static_cast<int64_t>(number));
}

Result FloatFilter(const Value& input, const Arguments& arguments, uint64_t) {
  RETURN_IF_ERROR(arguments.Check(0, {"default"}));
  const Json* given = arguments.Find(0, "default");
  const double otherwise = given != nullptr && IsNumber(*given) ? FloatOf(*given) : 0;
  const Json& json = input.json();
  if (IsNumber(json)) return Of(FloatOf(json));
  double number = 0;
  const bool read =
      json.is_string() && absl::SimpleAtod(StripSpace(json.get_ref<const std::string&>()), &number);
  return Of(read ? number : otherwise);
}

Result RoundFilter(const Value& input, const Arguments& arguments, uint64_t) {
  RETURN_IF_ERROR(arguments.Check(0, {"precision", "method"}));
  const Json& json = input.json();
  if (!IsNumber(json)) return Bad(absl::StrCat("it takes a number, not ", KindOf(json)));
  ASSIGN_OR_RETURN(const int64_t precision, arguments.Integer(0, "precision", 0));
  ASSIGN_OR_RETURN(const std::string method, arguments.Text(1, "method", "common"));
  if (precision < 0 || precision > 15) return Bad("its 'precision' must be in [0, 15]");
  if (method == "ceil" || method == "floor") {
    const double power = std::pow(10, static_cast<double>(precision));
    const double scaled = FloatOf(json) * power;
    const double whole = method == "ceil" ? std::ceil(scaled) : std::floor(scaled);
    return Of((whole + 0.0) / power);  // no negative zero: Python goes through a whole number
  }
  if (method != "common") return Bad("its 'method' must be common, ceil or floor");
  if (IsInteger(json)) return Of(IntegerOf(json));
  if (!json.is_number_float()) return input;
  // The decimal text of a number is exact and so is rounding it; halves go to the even digit.
  char text[400];
  std::snprintf(text, sizeof(text), "%.*f", static_cast<int>(precision), json.get<double>());
  return Of(std::strtod(text, nullptr));
}

Result AbsFilter(const Value& input, const Arguments& arguments, uint64_t) {
  RETURN_IF_ERROR(arguments.Check(0, {}));
  const Json& json = input.json();
  if (!IsNumber(json)) return Bad(absl::StrCat("it takes a number, not ", KindOf(json)));
  if (json.is_number_float()) return Of(std::fabs(json.get<double>()));
  if (!IsInteger(json) || IntegerOf(json) >= 0) {
    return json.is_boolean() ? Of(IntegerOf(json)) : input;
  }
  ASSIGN_OR_RETURN(Json positive, Arithmetic("*", Json(-1), json, arguments.budget));
  return Of(std::move(positive));
}

// --- lists ---

Result ChoiceFilter(const Value& input, const Arguments& arguments, uint64_t draw) {
  RETURN_IF_ERROR(arguments.Check(0, {}));
  ASSIGN_OR_RETURN(const std::vector<Value> elements, Elements(input, arguments.budget));
  return elements.empty() ? Value::Nothing() : elements[draw % elements.size()];
}
Result FirstFilter(const Value& input, const Arguments& arguments, uint64_t) {
  RETURN_IF_ERROR(arguments.Check(0, {}));
  ASSIGN_OR_RETURN(const std::vector<Value> elements, Elements(input, arguments.budget));
  return elements.empty() ? Value::Nothing() : elements.front();
}
Result LastFilter(const Value& input, const Arguments& arguments, uint64_t) {
  RETURN_IF_ERROR(arguments.Check(0, {}));
  ASSIGN_OR_RETURN(const std::vector<Value> elements, Elements(input, arguments.budget));
  return elements.empty() ? Value::Nothing() : elements.back();
}
Result LengthFilter(const Value& input, const Arguments& arguments, uint64_t) {
  RETURN_IF_ERROR(arguments.Check(0, {}));
  if (input.is_nothing()) return Of(0);
  ASSIGN_OR_RETURN(const int64_t length, Length(input.json()));
  return Of(length);
}
Result ListFilter(const Value& input, const Arguments& arguments, uint64_t) {
  RETURN_IF_ERROR(arguments.Check(0, {}));
  ASSIGN_OR_RETURN(const std::vector<Value> elements, Elements(input, arguments.budget));
  return ListOf(elements);
}
Result JoinFilter(const Value& input, const Arguments& arguments, uint64_t) {
  RETURN_IF_ERROR(arguments.Check(0, {"d", "attribute"}));
  ASSIGN_OR_RETURN(const std::string between, arguments.Text(0, "d", ""));
  ASSIGN_OR_RETURN(const std::vector<Value> elements, ElementsOf(input, arguments, 1));
  RETURN_IF_ERROR(arguments.budget->Take(static_cast<int64_t>(between.size()),
                                         static_cast<int64_t>(elements.size())));
  std::string text;
  for (size_t i = 0; i < elements.size(); ++i) {
    absl::StrAppend(&text, i > 0 ? between : "", TextOf(elements[i]));
  }
  return Of(std::move(text));
}
Result ReverseFilter(const Value& input, const Arguments& arguments, uint64_t) {
  RETURN_IF_ERROR(arguments.Check(0, {}));
  ASSIGN_OR_RETURN(std::vector<Value> elements, Elements(input, arguments.budget));
  std::reverse(elements.begin(), elements.end());
  if (!input.json().is_string()) return ListOf(elements);
  std::string text;
  for (const Value& element : elements) text += Str(element.json());
  return Of(std::move(text));
}
Result SortFilter(const Value& input, const Arguments& arguments, uint64_t) {
  RETURN_IF_ERROR(arguments.Check(0, {"reverse", "case_sensitive", "attribute"}));
  const bool sensitive = arguments.Flag(1, "case_sensitive", false);
  ASSIGN_OR_RETURN(const std::vector<Value> elements, Elements(input, arguments.budget));
  ASSIGN_OR_RETURN(const std::vector<Value> compared, ElementsOf(input, arguments, 2));
  std::vector<std::pair<Json, size_t>> keys;
  for (size_t i = 0; i < compared.size(); ++i) {
    keys.emplace_back(SortKey(compared[i].json(), sensitive), i);
    RETURN_IF_ERROR(Compare(keys.front().first, keys.back().first).status());
  }
  const bool reverse = arguments.Flag(0, "reverse", false);
  std::stable_sort(keys.begin(), keys.end(), [reverse](const auto& a, const auto& b) {
    const absl::StatusOr<int> order = Compare(a.first, b.first);
    return order.ok() && (reverse ? *order > 0 : *order < 0);
  });
  std::vector<Value> sorted;
  for (const auto& [key, i] : keys) sorted.push_back(elements[i]);
  return ListOf(sorted);
}
Result UniqueFilter(const Value& input, const Arguments& arguments, uint64_t) {
  RETURN_IF_ERROR(arguments.Check(0, {"case_sensitive"}));
  const bool sensitive = arguments.Flag(0, "case_sensitive", false);
  ASSIGN_OR_RETURN(const std::vector<Value> elements, Elements(input, arguments.budget));
  std::vector<Value> unique;
  std::unordered_set<std::string> seen;
  for (const Value& element : elements) {
    std::optional<std::string> key = Identity(SortKey(element.json(), sensitive));
    if (!key.has_value() || seen.insert(*std::move(key)).second) unique.push_back(element);
  }
  return ListOf(unique);
}

// The smallest element, or with `sign` -1 the largest.
Result Extreme(const Value& input, const Arguments& arguments, int sign) {
  RETURN_IF_ERROR(arguments.Check(0, {"case_sensitive"}));
  const bool sensitive = arguments.Flag(0, "case_sensitive", false);
  ASSIGN_OR_RETURN(const std::vector<Value> elements, Elements(input, arguments.budget));
  Value best = Value::Nothing();
  Json best_key;
  for (const Value& element : elements) {
    Json key = SortKey(element.json(), sensitive);
    if (best.is_defined()) {
      ASSIGN_OR_RETURN(const int order, Compare(key, best_key));
      if (order * sign >= 0) continue;
    } else {
      RETURN_IF_ERROR(Compare(key, key).status());
    }
    best = element;
    best_key = std::move(key);
  }
  return best;
}
Result MinFilter(const Value& input, const Arguments& arguments, uint64_t) {
  return Extreme(input, arguments, 1);
}
Result MaxFilter(const Value& input, const Arguments& arguments, uint64_t) {
  return Extreme(input, arguments, -1);
}
Result SumFilter(const Value& input, const Arguments& arguments, uint64_t) {
  RETURN_IF_ERROR(arguments.Check(0, {"attribute", "start"}));
  ASSIGN_OR_RETURN(const std::vector<Value> elements, ElementsOf(input, arguments, 0));
  const Json* start = arguments.Find(1, "start");
  Json sum = start == nullptr ? Json(0) : *start;
  for (const Value& element : elements) {
    ASSIGN_OR_RETURN(sum, Arithmetic("+", sum, element.json(), arguments.budget));
  }
  return Of(std::move(sum));
}

// PromptSource's: the elements that occur most often, in the order in which they first occur.
Result MostFrequentFilter(const Value& input, const Arguments& arguments, uint64_t) {
  RETURN_IF_ERROR(arguments.Check(0, {}));
  ASSIGN_OR_RETURN(const std::vector<Value> elements, Elements(input, arguments.budget));
  std::vector<std::pair<Value, int64_t>> counts;
  std::unordered_map<std::string, size_t> places;
  for (const Value& element : elements) {
    const std::optional<std::string> key = Identity(element.json());
    const size_t place =
        key.has_value() ? places.emplace(*key, counts.size()).first->second : counts.size();
    if (place == counts.size()) counts.emplace_back(element, 0);
    ++counts[place].second;
  }
  int64_t most = 0;
  for (const auto& [element, count] : counts) most = std::max(most, count);
  std::vector<Value> frequent;
  for (const auto& [element, count] : counts) {
    if (count == most) frequent.push_back(element);
  }
  return ListOf(frequent);
}

// map("filter") and map(attribute="...").
Result MapFilter(const Value& input, const Arguments& arguments, uint64_t draw) {
  if (arguments.positional.empty()) {
    RETURN_IF_ERROR(arguments.Check(0, {"attribute"}));
    ASSIGN_OR_RETURN(const std::vector<Value> elements, ElementsOf(input, arguments, 0));
    return ListOf(elements);
  }
  const std::string name = Str(arguments.positional[0].json());
  if (!IsFilter(name) || IsRandomFilter(name)) {
    return Bad(absl::StrCat("the filter '", name, "' is not supported"));
  }
  const Arguments rest = {{arguments.positional.begin() + 1, arguments.positional.end()},
                          arguments.named,
                          arguments.budget};
  ASSIGN_OR_RETURN(std::vector<Value> elements, Elements(input, arguments.budget));
  for (Value& element : elements) {
    ASSIGN_OR_RETURN(element, ApplyFilter(name, element, rest, draw));
  }
  return ListOf(elements);
}

// The elements for which a test is `wanted`: of themselves, or with `by_attribute` of a part.
Result Pick(const Value& input, const Arguments& arguments, bool by_attribute, bool wanted) {
  if (!arguments.named.empty() || (by_attribute && arguments.positional.empty())) {
    return Bad("it takes the names of an attribute and of a test");
  }
  const size_t first = by_attribute ? 1 : 0;
  const bool has_test = arguments.positional.size() > first;
  const std::string test = has_test ? Str(arguments.positional[first].json()) : "";
  if (has_test && !IsTest(test)) {
    return Bad(absl::StrCat("the test '", test, "' is not supported"));
  }
  Arguments rest;
  rest.budget = arguments.budget;
  if (has_test) {
    rest.positional.assign(arguments.positional.begin() + static_cast<int64_t>(first) + 1,
                           arguments.positional.end());
  }
  ASSIGN_OR_RETURN(const std::vector<Value> elements, Elements(input, arguments.budget));
  const std::string path = by_attribute ? Str(arguments.positional[0].json()) : "";
  std::vector<Value> picked;
  for (const Value& element : elements) {
    Value part = element;
    if (by_attribute) {
      ASSIGN_OR_RETURN(part, Attribute(element, path, arguments.budget));
    }
    bool holds = Truth(part.json());
    if (has_test) {
      ASSIGN_OR_RETURN(holds, ApplyTest(test, part, rest));
    }
    if (holds == wanted) picked.push_back(element);
  }
  return ListOf(picked);
}
Result SelectFilter(const Value& input, const Arguments& arguments, uint64_t) {
  return Pick(input, arguments, /*by_attribute=*/false, /*wanted=*/true);
}
Result RejectFilter(const Value& input, const Arguments& arguments, uint64_t) {
  return Pick(input, arguments, /*by_attribute=*/false, /*wanted=*/false);
}
Result SelectAttributeFilter(const Value& input, const Arguments& arguments, uint64_t) {
  return Pick(input, arguments, /*by_attribute=*/true, /*wanted=*/true);
}
Result RejectAttributeFilter(const Value& input, const Arguments& arguments, uint64_t) {
  return Pick(input, arguments, /*by_attribute=*/true, /*wanted=*/false);
}

Result DefaultFilter(const Value& input, const Arguments& arguments, uint64_t) {
  RETURN_IF_ERROR(arguments.Check(0, {"default_value", "boolean"}));
  const Json* otherwise = arguments.Find(0, "default_value");
  const bool by_truth = arguments.Flag(1, "boolean", false);
  const bool keep = input.is_defined() && (!by_truth || Truth(input.json()));
  if (keep) return input;
  return Of(otherwise == nullptr ? Json("") : *otherwise);
}

struct Filter {
  absl::string_view name;
  Result (*apply)(const Value&, const Arguments&, uint64_t);
  int64_t cost = 1;  // of each byte of the input
};
constexpr Filter kFilters[] = {
    {"abs", AbsFilter},
    {"capitalize", CapitalizeFilter, Budget::kLetter},
    {"choice", ChoiceFilter},
    {"count", LengthFilter},
    {"d", DefaultFilter},
    {"default", DefaultFilter},
    {"first", FirstFilter},
    {"float", FloatFilter},
    {"int", IntFilter},
    {"join", JoinFilter},
    {"last", LastFilter},
    {"length", LengthFilter},
    {"list", ListFilter},
    {"lower", LowerFilter, Budget::kLetter},
    {"map", MapFilter},
    {"max", MaxFilter, Budget::kLetter},
    {"min", MinFilter, Budget::kLetter},
    {"most_frequent", MostFrequentFilter, Budget::kLetter},
    {"random", ChoiceFilter},
    {"reject", RejectFilter},
    {"rejectattr", RejectAttributeFilter},
    {"replace", ReplaceFilter},
    {"reverse", ReverseFilter},
    {"round", RoundFilter},
    {"select", SelectFilter},
    {"selectattr", SelectAttributeFilter},
    {"sort", SortFilter, Budget::kLetter},
    {"string", StringFilter},
    {"sum", SumFilter},
    {"title", TitleFilter, Budget::kLetter},
    {"trim", TrimFilter},
    {"unique", UniqueFilter, Budget::kLetter},
    {"upper", UpperFilter, Budget::kLetter},
};

const Filter* FindFilter(absl::string_view name) {
  const auto* found = std::find_if(std::begin(kFilters), std::end(kFilters),
                                   [&](const Filter& filter) { return filter.name == name; });
  return found == std::end(kFilters) ? nullptr : found;
}

}  // namespace

bool IsFilter(absl::string_view name) { return FindFilter(name) != nullptr; }
bool IsRandomFilter(absl::string_view name) { return name == "choice" || name == "random"; }

absl::StatusOr<Value> ApplyFilter(absl::string_view name, const Value& input,
                                  const Arguments& arguments, uint64_t draw) {
  const bool is_default = name == "default" || name == "d";
  if (input.is_missing() && !is_default) {
    return absl::NotFoundError(absl::StrCat("there is no ", input.what()));
  }
  const Filter& filter = *FindFilter(name);
  RETURN_IF_ERROR(arguments.budget->TakeFor(input.json(), filter.cost));
  RETURN_IF_ERROR(arguments.Take());
  absl::StatusOr<Value> result = filter.apply(input, arguments, draw);
  if (result.ok() || absl::IsNotFound(result.status())) return result;
  return Bad(absl::StrCat("the filter '", name, "': ", result.status().message()));
}

}  // namespace frond::templates
