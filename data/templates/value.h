// What a Jinja expression computes with: JSON values under Python's rules. Tuples are lists, and
// the entries of a map come in the order of their keys.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/templates/budget.h"

namespace frond::templates {

using Json = nlohmann::json;

// A JSON value that is owned or, where it is a part of the row, borrowed; or the absence of one. A
// missing value (a field or key that is not there) is an error wherever it is used, but for the
// test `defined` and the filter `default`. Nothing (an index behind the end of a list, the first of
// no elements) prints as no text, is false and has no elements, as undefined values in Jinja do.
class Value {
 public:
  Value() : Value(Json()) {}
  explicit Value(Json json) : owned_(std::make_shared<const Json>(std::move(json))) {
    json_ = owned_.get();
  }
  // `json` outlives the value.
  static Value Borrow(const Json& json) { return Value(State::kPresent, "", &json); }
  // `what` follows "there is no " in messages.
  static Value Missing(std::string what) { return Value(State::kMissing, std::move(what)); }
  static Value Nothing() { return Value(State::kNothing, ""); }

  bool is_missing() const { return state_ == State::kMissing; }
  bool is_nothing() const { return state_ == State::kNothing; }
  bool is_defined() const { return state_ == State::kPresent; }
  const std::string& what() const { return what_; }
  // Null where the value is not defined.
  const Json& json() const { return *json_; }

  // A part of this value, which it keeps alive.
  Value Part(const Json& part) const {
    Value value = Borrow(part);
    value.owned_ = owned_;
    return value;
  }

 private:
  enum class State { kPresent, kMissing, kNothing };
  Value(State state, std::string what, const Json* json = nullptr);

  State state_ = State::kPresent;
  std::string what_;
  std::shared_ptr<const Json> owned_;
  const Json* json_;
};

// "a list", "text", "a number", ...
std::string KindOf(const Json& json);

bool IsNumber(const Json& json);  // booleans are numbers, as in Python
double FloatOf(const Json& json);
// Whether it is a whole number that is computed with, in 64 bits with a sign. A row may hold larger
// ones, up to 2^64: they print and compare as what they are, and are an error in what computes.
bool IsInteger(const Json& json);
int64_t IntegerOf(const Json& json);

bool Truth(const Json& json);
// str() and repr().
std::string Str(const Json& json);
std::string Repr(const Json& json);
// Shortest text that reads back as the same number, as Python writes it.
std::string FloatText(double value);

bool Equal(const Json& a, const Json& b);
// A text that equal values have in common and no others, to find a value among many; null for NaN,
// which equals nothing, and for what holds it.
std::optional<std::string> Identity(const Json& json);
// Negative, zero or positive; an error where the kinds have no order.
absl::StatusOr<int> Compare(const Json& a, const Json& b);
// Of text (characters), lists and maps.
absl::StatusOr<int64_t> Length(const Json& json);

// A map's keys are text; a whole number as a key is kept as a text that no field has. An error for
// other keys.
absl::StatusOr<std::string> MapKey(const Json& key);
// The other way: what the key of a map stands for.
Json KeyOf(const std::string& text);

// What follows takes what it costs from a budget; what stands above is charged by who calls it.

// `a op b` for == != < <= > >=.
absl::StatusOr<bool> Compares(absl::string_view op, const Json& a, const Json& b, Budget* budget);
absl::StatusOr<bool> Contains(const Json& container, const Json& item, Budget* budget);
// The elements of a list, the characters of a text, the keys of a map.
absl::StatusOr<std::vector<Value>> Elements(const Value& value, Budget* budget);

// `a op b` for + - * / // % **.
absl::StatusOr<Json> Arithmetic(absl::string_view op, const Json& a, const Json& b, Budget* budget);

// value[key] and value.key; missing where a map lacks the key, nothing behind the end of a list.
absl::StatusOr<Value> Item(const Value& value, const Json& key, Budget* budget);
// value[start:stop:step]; null: not given.
absl::StatusOr<Value> Slice(const Value& value, const Json& start, const Json& stop,
                            const Json& step, Budget* budget);

}  // namespace frond::templates
