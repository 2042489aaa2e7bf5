#include "data/templates/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "data/templates/python_text.h"

namespace frond::templates {
namespace {

// Begins keys that are numbers.
constexpr char kNumberMark = 1;

absl::Status Bad(std::string message) { return absl::InvalidArgumentError(std::move(message)); }

int64_t Size(const std::string& text) { return static_cast<int64_t>(text.size()); }

absl::Status NoSuchOperation(absl::string_view op, const Json& a, const Json& b) {
  return Bad(absl::StrCat("cannot compute ", KindOf(a), " ", op, " ", KindOf(b)));
}

// Whether it is a whole number that 64 bits hold without a sign only.
bool IsTooLarge(const Json& json) {
  return json.is_number_unsigned() && json.get<uint64_t>() > uint64_t{INT64_MAX};
}

// Any number, exactly: the format has 64 bits for the digits or more.
long double NumberOf(const Json& json) {
  static_assert(std::numeric_limits<long double>::digits >= 64);
  if (json.is_number_unsigned()) return static_cast<long double>(json.get<uint64_t>());
  return IsInteger(json) ? static_cast<long double>(IntegerOf(json))
                         : static_cast<long double>(json.get<double>());
}

// Whole numbers as such, whether they are integers, floats or booleans; false for NaN.
bool AppendNumber(const Json& json, std::string* text) {
  const long double number = NumberOf(json);
  if (std::isnan(number)) return false;
  if (number != std::trunc(number) || std::fabs(number) >= 0x1p64L) {
    absl::StrAppend(text, "#", FloatText(json.get<double>()));
  } else if (number < 0) {
    absl::StrAppend(text, "#-", static_cast<uint64_t>(-number));
  } else {
    absl::StrAppend(text, "#", static_cast<uint64_t>(number));
  }
  return true;
}

// False where the value holds NaN. The first byte of each value tells its kind, and a text says how
// long it is, so that no value's form begins another's.
bool AppendIdentity(const Json& json, std::string* text) {
  if (IsNumber(json)) return AppendNumber(json, text);
  if (json.is_string()) {
    const auto& string = json.get_ref<const std::string&>();
    absl::StrAppend(text, "'", string.size(), ":", string);
    return true;
  }
  if (json.is_null()) {
    text->push_back('!');
    return true;
  }
  const bool is_map = json.is_object();
  text->push_back(is_map ? '{' : '[');
  for (auto element = json.begin(); element != json.end(); ++element) {
    if (is_map) absl::StrAppend(text, element.key().size(), ":", element.key());
    if (!AppendIdentity(*element, text)) return false;
  }
  text->push_back(is_map ? '}' : ']');
  return true;
}

void AppendRepr(const Json& json, std::string* text) {
  if (json.is_null()) {
    *text += "None";
  } else if (json.is_boolean()) {
    *text += json.get<bool>() ? "True" : "False";
  } else if (json.is_number()) {
    *text += json.is_number_float() ? FloatText(json.get<double>()) : json.dump();
  } else if (json.is_string()) {
    *text += Quoted(json.get_ref<const std::string&>());
  } else {
    const bool is_map = json.is_object();
    text->push_back(is_map ? '{' : '[');
    for (auto element = json.begin(); element != json.end(); ++element) {
      if (element != json.begin()) *text += ", ";
      if (is_map) absl::StrAppend(text, Repr(KeyOf(element.key())), ": ");
      AppendRepr(*element, text);
    }
    text->push_back(is_map ? '}' : ']');
  }
}

// n copies of a text or list; negative counts as none.
absl::StatusOr<Json> Repeat(const Json& value, int64_t n, Budget* budget) {
  ASSIGN_OR_RETURN(const int64_t length, Length(value));
  if (length == 0) return value;
  if (value.is_array()) RETURN_IF_ERROR(budget->TakeFor(value, n));
  if (value.is_string()) {
    RETURN_IF_ERROR(budget->Take(Size(value.get_ref<const std::string&>()), n));
  }
  if (value.is_string()) {
    std::string text;
    for (int64_t i = 0; i < n; ++i) text += value.get_ref<const std::string&>();
    return Json(std::move(text));
  }
  Json list = Json::array();
  for (int64_t i = 0; i < n; ++i) list.insert(list.end(), value.begin(), value.end());
  return list;
}

// Rounded towards minus infinity, as Python's // and %.
int64_t FloorDivide(int64_t a, int64_t b) { return a / b - ((a % b != 0) && ((a < 0) != (b < 0))); }

absl::StatusOr<Json> IntegerArithmetic(absl::string_view op, int64_t a, int64_t b) {
  int64_t result = 0;
  bool overflow = false;
  if (op == "+") {
    overflow = __builtin_add_overflow(a, b, &result);
  } else if (op == "-") {
    overflow = __builtin_sub_overflow(a, b, &result);
  } else if (op == "*") {
    overflow = __builtin_mul_overflow(a, b, &result);
  } else if (op == "**") {
    if (b < 0) return Json(std::pow(static_cast<double>(a), static_cast<double>(b)));
    if (b > 64 && a != 0 && a != 1 && a != -1) overflow = true;
    result = 1;
    for (int64_t i = 0, n = b > 64 ? 64 + b % 2 : b; i < n && !overflow; ++i) {
      overflow = __builtin_mul_overflow(result, a, &result);
    }
  } else if (b == 0) {
    return Bad("a division by zero");
  } else if (b == -1) {
    overflow = op == "//" && __builtin_sub_overflow(int64_t{0}, a, &result);
  } else {
    result = op == "//" ? FloorDivide(a, b) : a - b * FloorDivide(a, b);
  }
  if (overflow) return Bad(absl::StrCat(a, " ", op, " ", b, " is too large"));
  return Json(result);
}

// a // b and a % b of floats, operation for operation as CPython has them.
Json FloorDivision(double a, double b, bool want_remainder) {
  double remainder = std::fmod(a, b);
  double quotient = (a - remainder) / b;
  if (remainder == 0) {
    remainder = std::copysign(0.0, b);
  } else if ((b < 0) != (remainder < 0)) {
    remainder += b;
    quotient -= 1;
  }
  if (want_remainder) return remainder;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double whole = std::floor(quotient);
  return quotient - whole > 0.5 ? whole + 1 : whole;
}

absl::StatusOr<Json> FloatArithmetic(absl::string_view op, double a, double b) {
  if (op == "+") return Json(a + b);
  if (op == "-") return Json(a - b);
  if (op == "*") return Json(a * b);
  if (op == "**") return Json(std::pow(a, b));
  if (b == 0) return Bad("a division by zero");
  return op == "/" ? Json(a / b) : FloorDivision(a, b, /*want_remainder=*/op == "%");
}

// The place of index `i` (from the end where negative) among `n`; -1 outside.
int64_t PlaceOf(int64_t i, int64_t n) {
  if (i < 0) i += n;
  return i >= 0 && i < n ? i : -1;
}

// The places that a slice takes, in order: first, first + stride, ...
struct Places {
  int64_t first;
  int64_t stride;
  int64_t count;
};

// Of `n` elements.
absl::StatusOr<Places> PlacesOf(const Json& start, const Json& stop, const Json& step, int64_t n) {
  for (const Json* bound : {&start, &stop, &step}) {
    if (!bound->is_null() && !IsInteger(*bound)) {
      return Bad(absl::StrCat("a slice with ", KindOf(*bound), " for a bound"));
    }
  }
  const int64_t by = step.is_null() ? 1 : IntegerOf(step);
  if (by == 0) return Bad("a slice with a step of zero");
  const int64_t lowest = by > 0 ? 0 : -1, highest = by > 0 ? n : n - 1;
  const auto bound = [&](const Json& value, int64_t otherwise) {
    if (value.is_null()) return otherwise;
    const int64_t i = std::clamp<int64_t>(IntegerOf(value), -2 * n - 2, 2 * n + 2);
    return std::clamp(i < 0 ? i + n : i, lowest, highest);
  };
  const int64_t first = bound(start, by > 0 ? lowest : highest);
  const int64_t last = bound(stop, by > 0 ? highest : lowest);
  const int64_t stride = std::clamp<int64_t>(by, -n - 1, n + 1);
  const int64_t distance = stride > 0 ? last - first : first - last, length = std::abs(stride);
  return Places{first, stride, distance <= 0 ? 0 : (distance + length - 1) / length};
}

}  // namespace

Value::Value(State state, std::string what, const Json* json)
    : state_(state), what_(std::move(what)), json_(json) {
  static const Json* const kNull = new Json();
  if (json_ == nullptr) json_ = kNull;
}

absl::StatusOr<std::string> MapKey(const Json& key) {
  if (key.is_string()) return key.get<std::string>();
  if (IsInteger(key)) return absl::StrCat(absl::string_view(&kNumberMark, 1), IntegerOf(key));
  return Bad(absl::StrCat("a map with ", KindOf(key), " for a key"));
}

Json KeyOf(const std::string& text) {
  int64_t number = 0;
  if (!text.empty() && text[0] == kNumberMark && absl::SimpleAtoi(text.substr(1), &number)) {
    return Json(number);
  }
  return Json(text);
}

std::string KindOf(const Json& json) {
  if (json.is_null()) return "none";
  if (json.is_boolean()) return "a boolean";
  if (IsTooLarge(json)) return absl::StrCat("a number above ", INT64_MAX);
  if (json.is_number()) return "a number";
  if (json.is_string()) return "text";
  return json.is_array() ? "a list" : "a map";
}

bool IsNumber(const Json& json) { return json.is_number() || json.is_boolean(); }
bool IsInteger(const Json& json) {
  return (json.is_number_integer() && !IsTooLarge(json)) || json.is_boolean();
}

int64_t IntegerOf(const Json& json) {
  return json.is_boolean() ? static_cast<int64_t>(json.get<bool>()) : json.get<int64_t>();
}

double FloatOf(const Json& json) {
  return json.is_boolean() ? static_cast<double>(json.get<bool>()) : json.get<double>();
}

bool Truth(const Json& json) {
  if (json.is_null()) return false;
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number()) return json.get<double>() != 0;
  if (json.is_string()) return !json.get_ref<const std::string&>().empty();
  return !json.empty();
}

std::string FloatText(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char digits[64];
  const double size = std::fabs(value);
  const bool plain = size == 0 || (size >= 1e-4 && size < 1e16);
  const auto format = plain ? std::chars_format::fixed : std::chars_format::scientific;
  const auto end = std::to_chars(digits, digits + sizeof(digits), value, format).ptr;
  std::string text(digits, end);
  if (plain && text.find('.') == std::string::npos) text += ".0";
  return text;
}

std::string Str(const Json& json) {
  return json.is_string() ? json.get_ref<const std::string&>() : Repr(json);
}

std::string Repr(const Json& json) {
  std::string text;
  AppendRepr(json, &text);
  return text;
}

bool Equal(const Json& a, const Json& b) {
  if (IsNumber(a) && IsNumber(b)) {
    return IsInteger(a) && IsInteger(b) ? IntegerOf(a) == IntegerOf(b) : NumberOf(a) == NumberOf(b);
  }
  if (a.type() != b.type() || a.size() != b.size()) return false;
  if (a.is_array()) return std::equal(a.begin(), a.end(), b.begin(), Equal);
  if (!a.is_object()) return a == b;
  for (const auto& [key, element] : a.items()) {
    const auto other = b.find(key);
    if (other == b.end() || !Equal(element, *other)) return false;
  }
  return true;
}

std::optional<std::string> Identity(const Json& json) {
  std::string text;
  if (!AppendIdentity(json, &text)) return std::nullopt;
  return text;
}

absl::StatusOr<int> Compare(const Json& a, const Json& b) {
  if (IsNumber(a) && IsNumber(b)) {
    if (IsInteger(a) && IsInteger(b)) {
      return (IntegerOf(a) > IntegerOf(b)) - (IntegerOf(a) < IntegerOf(b));
    }
    return (NumberOf(a) > NumberOf(b)) - (NumberOf(a) < NumberOf(b));
  }
  if (a.is_string() && b.is_string()) {  // UTF-8 sorts as its characters do
    return a.get_ref<const std::string&>().compare(b.get_ref<const std::string&>());
  }
  if (!a.is_array() || !b.is_array()) return NoSuchOperation("<", a, b);
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (!Equal(a[i], b[i])) return Compare(a[i], b[i]);
  }
  return (a.size() > b.size()) - (a.size() < b.size());
}

absl::StatusOr<bool> Compares(absl::string_view op, const Json& a, const Json& b, Budget* budget) {
  RETURN_IF_ERROR(budget->TakeFor(a));
  RETURN_IF_ERROR(budget->TakeFor(b));
  if (op == "==") return Equal(a, b);
  if (op == "!=") return !Equal(a, b);
  ASSIGN_OR_RETURN(const int order, Compare(a, b));
  if (op == "<") return order < 0;
  if (op == "<=") return order <= 0;
  return op == ">" ? order > 0 : order >= 0;
}

absl::StatusOr<bool> Contains(const Json& container, const Json& item, Budget* budget) {
  RETURN_IF_ERROR(budget->TakeFor(item));
  if (!container.is_object()) RETURN_IF_ERROR(budget->TakeFor(container));
  if (container.is_string()) {
    if (!item.is_string()) return NoSuchOperation("in", item, container);
    return Find(container.get_ref<const std::string&>(), item.get_ref<const std::string&>()) !=
           absl::string_view::npos;
  }
  if (container.is_object()) {
    ASSIGN_OR_RETURN(const std::string key, MapKey(item));
    return container.contains(key);
  }
  if (!container.is_array()) return NoSuchOperation("in", item, container);
  return std::any_of(container.begin(), container.end(),
                     [&](const Json& element) { return Equal(element, item); });
}

absl::StatusOr<int64_t> Length(const Json& json) {
  if (json.is_string()) return NumCharacters(json.get_ref<const std::string&>());
  if (!json.is_structured()) return Bad(absl::StrCat(KindOf(json), " has no length"));
  return static_cast<int64_t>(json.size());
}

absl::StatusOr<std::vector<Value>> Elements(const Value& value, Budget* budget) {
  std::vector<Value> elements;
  const Json& json = value.json();
  if (json.is_array()) {
    RETURN_IF_ERROR(budget->Take(Budget::kStep, static_cast<int64_t>(json.size())));
    for (const Json& element : json) elements.push_back(value.Part(element));
  } else if (json.is_string()) {
    RETURN_IF_ERROR(
        budget->Take(Budget::kCharacter, NumCharacters(json.get_ref<const std::string&>())));
    for (std::string& character : Characters(json.get_ref<const std::string&>())) {
      elements.push_back(Value(Json(std::move(character))));
    }
  } else if (json.is_object()) {
    RETURN_IF_ERROR(budget->TakeFor(json));
    for (const auto& [key, element] : json.items()) elements.push_back(Value(KeyOf(key)));
  } else if (!value.is_nothing()) {
    return Bad(absl::StrCat(KindOf(json), " has no elements"));
  }
  return elements;
}

absl::StatusOr<Json> Arithmetic(absl::string_view op, const Json& a, const Json& b,
                                Budget* budget) {
  if (IsNumber(a) && IsNumber(b) && !IsTooLarge(a) && !IsTooLarge(b)) {
    if (op != "/" && IsInteger(a) && IsInteger(b)) {
      return IntegerArithmetic(op, IntegerOf(a), IntegerOf(b));
    }
    return FloatArithmetic(op, FloatOf(a), FloatOf(b));
  }
  if (op == "+") {
    RETURN_IF_ERROR(budget->TakeFor(a));
    RETURN_IF_ERROR(budget->TakeFor(b));
  }
  if (op == "+" && a.is_string() && b.is_string()) {
    return Json(absl::StrCat(a.get_ref<const std::string&>(), b.get_ref<const std::string&>()));
  }
  if (op == "+" && a.is_array() && b.is_array()) {
    Json list = a;
    list.insert(list.end(), b.begin(), b.end());
    return list;
  }
  if (op == "*") {
    if (IsInteger(b) && (a.is_string() || a.is_array())) return Repeat(a, IntegerOf(b), budget);
    if (IsInteger(a) && (b.is_string() || b.is_array())) return Repeat(b, IntegerOf(a), budget);
  }
  return NoSuchOperation(op, a, b);
}

absl::StatusOr<Value> Item(const Value& value, const Json& key, Budget* budget) {
  RETURN_IF_ERROR(budget->TakeFor(key));
  const Json& json = value.json();
  if (json.is_object()) {
    ASSIGN_OR_RETURN(const std::string text, MapKey(key));
    const auto found = json.find(text);
    if (found == json.end()) return Value::Missing(absl::StrCat("key ", Repr(key)));
    return value.Part(*found);
  }
  if ((json.is_array() || json.is_string()) && IsInteger(key)) {
    if (json.is_string()) RETURN_IF_ERROR(budget->TakeFor(json));
    ASSIGN_OR_RETURN(const int64_t length, Length(json));
    const int64_t place = PlaceOf(IntegerOf(key), length);
    if (place < 0) return Value::Nothing();
    if (json.is_array()) return value.Part(json[static_cast<size_t>(place)]);
    return Value(Json(Substring(json.get_ref<const std::string&>(), place, place + 1)));
  }
  return Bad(absl::StrCat(KindOf(json), " has no element ", Repr(key)));
}

absl::StatusOr<Value> Slice(const Value& value, const Json& start, const Json& stop,
                            const Json& step, Budget* budget) {
  const Json& json = value.json();
  if (!json.is_array() && !json.is_string()) {
    return Bad(absl::StrCat("a slice of ", KindOf(json)));
  }
  if (json.is_string()) RETURN_IF_ERROR(budget->TakeFor(json));
  ASSIGN_OR_RETURN(const int64_t length, Length(json));
  ASSIGN_OR_RETURN(const Places places, PlacesOf(start, stop, step, length));
  if (json.is_array()) {
    Json list = Json::array();
    for (int64_t i = 0, place = places.first; i < places.count; ++i, place += places.stride) {
      RETURN_IF_ERROR(budget->TakeFor(json[static_cast<size_t>(place)]));
      list.push_back(json[static_cast<size_t>(place)]);
    }
    return Value(std::move(list));
  }
  const auto& whole = json.get_ref<const std::string&>();
  if (places.stride == 1) {
    return Value(Json(Substring(whole, places.first, places.first + places.count)));
  }
  RETURN_IF_ERROR(budget->Take(Budget::kStep, length));
  const std::vector<std::string> characters = Characters(whole);
  std::string text;
  for (int64_t i = 0, place = places.first; i < places.count; ++i, place += places.stride) {
    text += characters[static_cast<size_t>(place)];
  }
  return Value(Json(std::move(text)));
}

}  // namespace frond::templates
