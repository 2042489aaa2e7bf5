// Bounds what the rendering of one row may cost: a template is no program.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

#include "absl/status/status.h"

namespace frond::templates {

// What is left to one evaluation. All that is read, made or visited takes from it, in bytes of
// text or as much work or memory. A template that it does not suffice for ends within about a
// second and some hundred megabytes of memory; a usual prompt takes some thousands.
class Budget {
 public:
  // An expression that is evaluated, an iteration of a loop, an element that is visited.
  static constexpr int64_t kStep = 64;
  // A character that becomes a value.
  static constexpr int64_t kCharacter = 256;
  // A byte of text whose characters are looked at one by one: letter case, white space.
  static constexpr int64_t kLetter = 16;

  // An error where `times` times `cost` is more than what is left.
  absl::Status Take(int64_t cost, int64_t times = 1) {
    if (times <= 0 || cost <= left_ / times) {
      left_ -= times <= 0 ? 0 : cost * times;
      return absl::OkStatus();
    }
    return UsedUp();
  }
  // For `times` copies of a value, or for reading all of it. An error as well where it is nested so
  // deeply that functions that call themselves could not follow.
  absl::Status TakeFor(const nlohmann::json& json, int64_t times = 1) {
    return Take(CostOf(json, 0), times);
  }

  int64_t left() const { return left_; }

 private:
  static absl::Status UsedUp();
  static int64_t CostOf(const nlohmann::json& json, int depth);

  int64_t left_ = int64_t{1} << 27;
};

}  // namespace frond::templates
