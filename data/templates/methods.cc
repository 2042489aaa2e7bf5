#include "data/templates/methods.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "data/templates/python_text.h"

namespace frond::templates {
namespace {

using Result = absl::StatusOr<Value>;

// Jinja's sandbox has the same limit.
constexpr int64_t kLongestRange = 100000;

absl::Status Bad(std::string message) { return absl::InvalidArgumentError(std::move(message)); }
Value Of(Json json) { return Value(std::move(json)); }
int64_t Size(absl::string_view text) { return static_cast<int64_t>(text.size()); }
Value ListOf(std::vector<std::string> texts) { return Of(Json(std::move(texts))); }

// --- text ---

Result Split(const std::string& text, const Arguments& arguments, bool from_right) {
  RETURN_IF_ERROR(arguments.Check(0, {"sep", "maxsplit"}));
  ASSIGN_OR_RETURN(int64_t limit, arguments.Integer(1, "maxsplit", -1));
  ASSIGN_OR_RETURN(const std::string separator, arguments.Text(0, "sep", ""));
  const bool at_space = arguments.Find(0, "sep") == nullptr;
  if (separator.empty() && !at_space) return Bad("its 'sep' is empty");
  Budget& budget = *arguments.budget;
  // From the right, a search looks at the separator again at every byte.
  if (from_right) RETURN_IF_ERROR(budget.Take(Size(separator), Size(text)));
  // So many cuts and one make a piece more than can be paid for.
  const int64_t most = budget.left() / Budget::kStep;
  if (limit < 0 || limit > most) limit = most;
  std::vector<std::string> pieces = at_space ? SplitAtSpace(text, limit, from_right)
                                             : SplitAt(text, separator, limit, from_right);
  RETURN_IF_ERROR(budget.Take(Budget::kStep, static_cast<int64_t>(pieces.size())));
  return ListOf(std::move(pieces));
}

// startswith and endswith take one text or several.
Result Borders(const std::string& text, const Arguments& arguments, bool at_start) {
  RETURN_IF_ERROR(arguments.Check(1, {"text"}));
  const Json& sought = arguments.positional.empty() ? arguments.named[0].second.json()
                                                    : arguments.positional[0].json();
  const Json candidates = sought.is_array() ? sought : Json::array({sought});
  for (const Json& candidate : candidates) {
    if (!candidate.is_string()) return Bad(absl::StrCat("it takes text, not ", KindOf(candidate)));
    const auto& part = candidate.get_ref<const std::string&>();
    if (at_start ? absl::StartsWith(text, part) : absl::EndsWith(text, part)) return Of(true);
  }
  return Of(false);
}

// Where `part` begins, in characters, or -1.
Result FindIn(const std::string& text, const Arguments& arguments, bool last) {
  RETURN_IF_ERROR(arguments.Check(1, {"sub"}));
  ASSIGN_OR_RETURN(const std::string part, arguments.Text(0, "sub", ""));
  if (last) RETURN_IF_ERROR(arguments.budget->Take(Size(part), Size(text)));
  const size_t at = last ? text.rfind(part) : Find(text, part);
  if (at == std::string::npos) return Of(-1);
  return Of(NumCharacters(absl::string_view(text).substr(0, at)));
}

Result CountIn(const std::string& text, const Arguments& arguments) {
  RETURN_IF_ERROR(arguments.Check(1, {"sub"}));
  ASSIGN_OR_RETURN(const std::string part, arguments.Text(0, "sub", ""));
  return Of(CountOf(text, part));
}

Result Join(const std::string& between, const Arguments& arguments) {
  RETURN_IF_ERROR(arguments.Check(1, {"texts"}));
  if (arguments.positional.empty()) return Bad("it needs a list");
  ASSIGN_OR_RETURN(const std::vector<Value> elements,
                   Elements(arguments.positional[0], arguments.budget));
  RETURN_IF_ERROR(arguments.budget->Take(Size(between), static_cast<int64_t>(elements.size())));
  std::string text;
  for (size_t i = 0; i < elements.size(); ++i) {
    const Json& element = elements[i].json();
    if (!element.is_string()) return Bad(absl::StrCat("it joins text, not ", KindOf(element)));
    absl::StrAppend(&text, i > 0 ? between : "", element.get_ref<const std::string&>());
  }
  return Of(std::move(text));
}

Result TextMethod(absl::string_view name, const std::string& text, const Arguments& arguments) {
  if (name == "split") return Split(text, arguments, /*from_right=*/false);
  if (name == "rsplit") return Split(text, arguments, /*from_right=*/true);
  if (name == "strip") return CallStrip(text, arguments, End::kBoth);
  if (name == "lstrip") return CallStrip(text, arguments, End::kLeft);
  if (name == "rstrip") return CallStrip(text, arguments, End::kRight);
  if (name == "replace") return CallReplace(text, arguments);
  if (name == "startswith") return Borders(text, arguments, /*at_start=*/true);
  if (name == "endswith") return Borders(text, arguments, /*at_start=*/false);
  if (name == "find") return FindIn(text, arguments, /*last=*/false);
  if (name == "rfind") return FindIn(text, arguments, /*last=*/true);
  if (name == "count") return CountIn(text, arguments);
  if (name == "join") return Join(text, arguments);
  RETURN_IF_ERROR(arguments.Check(0, {}));
  RETURN_IF_ERROR(arguments.budget->Take(Budget::kLetter, Size(text)));
  if (name == "lower") return Of(Lower(text));
  if (name == "upper") return Of(Upper(text));
  if (name == "capitalize") return Of(Capitalize(text));
  if (name == "title") return Of(Title(text));
  if (name == "splitlines") {
    RETURN_IF_ERROR(arguments.budget->Take(Budget::kStep, Size(text)));  // lines may be empty
    return ListOf(SplitLines(text));
  }
  if (name == "isdigit") return Of(IsDigits(text));
  if (name == "islower") return Of(IsLower(text));
  if (name == "isupper") return Of(IsUpper(text));
  return Bad("text has no such method");
}

// --- lists and maps ---

Result ListMethod(absl::string_view name, const Json& list, const Arguments& arguments) {
  if (name != "index" && name != "count") return Bad("a list has no such method");
  RETURN_IF_ERROR(arguments.Check(1, {"value"}));
  RETURN_IF_ERROR(arguments.budget->TakeFor(list));
  if (arguments.positional.empty()) return Bad("it needs a value");
  const Json& sought = arguments.positional[0].json();
  const auto same = [&](const Json& element) { return Equal(element, sought); };
  if (name == "count") return Of(std::count_if(list.begin(), list.end(), same));
  const auto found = std::find_if(list.begin(), list.end(), same);
  if (found == list.end()) return Bad(absl::StrCat(Repr(sought), " is not in the list"));
  return Of(found - list.begin());
}

Result MapMethod(absl::string_view name, const Value& map, const Arguments& arguments) {
  if (name == "get") {
    RETURN_IF_ERROR(arguments.Check(1, {"key", "default"}));
    const Json* key = arguments.Find(0, "key");
    const Json* otherwise = arguments.Find(1, "default");
    ASSIGN_OR_RETURN(Value found, Item(map, key == nullptr ? Json() : *key, arguments.budget));
    if (found.is_defined()) return found;
    return Of(otherwise == nullptr ? Json() : *otherwise);
  }
  RETURN_IF_ERROR(arguments.Check(0, {}));
  RETURN_IF_ERROR(arguments.budget->TakeFor(map.json()));
  Json list = Json::array();
  for (const auto& [key, element] : map.json().items()) {
    if (name == "keys") {
      list.push_back(KeyOf(key));
    } else if (name == "values") {
      list.push_back(element);
    } else if (name == "items") {
      list.push_back(Json::array({KeyOf(key), element}));
    } else {
      return Bad("a map has no such method");
    }
  }
  return Of(std::move(list));
}

constexpr absl::string_view kMethods[] = {
    "split", "rsplit",     "strip",      "lstrip",  "rstrip",  "replace", "startswith",
    "find",  "endswith",   "rfind",      "count",   "join",    "lower",   "upper",
    "title", "capitalize", "splitlines", "isdigit", "islower", "isupper", "index",
    "get",   "keys",       "values",     "items"};

// --- functions ---

Result Range(const Arguments& arguments) {
  RETURN_IF_ERROR(arguments.Check(1, {"start", "stop", "step"}));
  if (!arguments.named.empty()) return Bad("it takes no named arguments");
  ASSIGN_OR_RETURN(int64_t start, arguments.Integer(0, "start", 0));
  ASSIGN_OR_RETURN(int64_t stop, arguments.Integer(1, "stop", 0));
  ASSIGN_OR_RETURN(const int64_t step, arguments.Integer(2, "step", 1));
  if (arguments.positional.size() == 1) std::swap(start, stop);
  if (step == 0) return Bad("its step is zero");
  Json list = Json::array();
  for (int64_t i = start; step > 0 ? i < stop : i > stop; i += step) {
    if (static_cast<int64_t>(list.size()) == kLongestRange) {
      return Bad(absl::StrCat("it is longer than ", kLongestRange));
    }
    list.push_back(i);
    if (step > 0 ? i > INT64_MAX - step : i < INT64_MIN - step) break;
  }
  RETURN_IF_ERROR(arguments.budget->TakeFor(list));
  return Of(std::move(list));
}

Result Zip(const Arguments& arguments) {
  if (!arguments.named.empty()) return Bad("it takes no named arguments");
  std::vector<std::vector<Value>> lists;
  size_t shortest = arguments.positional.empty() ? 0 : SIZE_MAX;
  for (const Value& argument : arguments.positional) {
    ASSIGN_OR_RETURN(std::vector<Value> elements, Elements(argument, arguments.budget));
    shortest = std::min(shortest, elements.size());
    lists.push_back(std::move(elements));
  }
  Json zipped = Json::array();
  for (size_t i = 0; i < shortest; ++i) {
    Json tuple = Json::array();
    for (const std::vector<Value>& list : lists) tuple.push_back(list[i].json());
    zipped.push_back(std::move(tuple));
  }
  return Of(std::move(zipped));
}

}  // namespace

absl::StatusOr<Value> CallStrip(absl::string_view text, const Arguments& arguments, End end) {
  RETURN_IF_ERROR(arguments.Check(0, {"chars"}));
  if (arguments.Find(0, "chars") == nullptr) return Of(std::string(StripSpace(text, end)));
  ASSIGN_OR_RETURN(const std::string set, arguments.Text(0, "chars", ""));
  return Of(StripCharacters(text, set, end));
}

absl::StatusOr<Value> CallReplace(absl::string_view text, const Arguments& arguments) {
  RETURN_IF_ERROR(arguments.Check(2, {"old", "new", "count"}));
  ASSIGN_OR_RETURN(const std::string old, arguments.Text(0, "old", ""));
  ASSIGN_OR_RETURN(const std::string replacement, arguments.Text(1, "new", ""));
  ASSIGN_OR_RETURN(const int64_t count, arguments.Integer(2, "count", -1));
  int64_t places = CountOf(text, old);
  if (count >= 0) places = std::min(places, count);
  RETURN_IF_ERROR(arguments.budget->Take(Size(text)));
  RETURN_IF_ERROR(arguments.budget->Take(Size(replacement), places));
  return Of(Replace(text, old, replacement, count));
}

bool IsMethod(absl::string_view name) {
  return std::find(std::begin(kMethods), std::end(kMethods), name) != std::end(kMethods);
}

absl::StatusOr<Value> CallMethod(absl::string_view name, const Value& value,
                                 const Arguments& arguments) {
  RETURN_IF_ERROR(arguments.Take());
  const Json& json = value.json();
  if (json.is_string()) RETURN_IF_ERROR(arguments.budget->TakeFor(json));
  Result result = json.is_string() ? TextMethod(name, json.get_ref<const std::string&>(), arguments)
                  : json.is_array()  ? ListMethod(name, json, arguments)
                  : json.is_object() ? MapMethod(name, value, arguments)
                                     : Result(Bad(absl::StrCat(KindOf(json), " has no methods")));
  if (result.ok()) return result;
  return Bad(absl::StrCat("the method '", name, "': ", result.status().message()));
}

bool IsFunction(absl::string_view name) {
  return name == "range" || name == "zip" || name == "dict" || name == "namespace";
}

absl::StatusOr<Value> CallFunction(absl::string_view name, const Arguments& arguments) {
  RETURN_IF_ERROR(arguments.Take());
  Result result = Value();
  if (name == "range") {
    result = Range(arguments);
  } else if (name == "zip") {
    result = Zip(arguments);
  } else if (!arguments.positional.empty()) {
    result = Bad("it takes named arguments only");
  } else {
    Json map = Json::object();
    for (const auto& [key, value] : arguments.named) map[key] = value.json();
    result = Of(std::move(map));
  }
  if (result.ok()) return result;
  return Bad(absl::StrCat("the function '", name, "': ", result.status().message()));
}

}  // namespace frond::templates
