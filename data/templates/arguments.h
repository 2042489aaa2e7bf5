// What a filter, test, method or function is called with.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/templates/budget.h"
#include "data/templates/value.h"

namespace frond::templates {

// All values are defined.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
  Budget* budget = nullptr;  // what the call takes from

  // The argument at `place` or called `name`; null where it is not given or is none.
  const Json* Find(size_t place, absl::string_view name) const;
  // Likewise as text, integer or truth value, with what holds where it is not given.
  absl::StatusOr<std::string> Text(size_t place, absl::string_view name,
                                   absl::string_view otherwise) const;
  absl::StatusOr<int64_t> Integer(size_t place, absl::string_view name, int64_t otherwise) const;
  bool Flag(size_t place, absl::string_view name, bool otherwise) const;

  // Takes what reading all of them costs.
  absl::Status Take() const;
  // An error where there are more than these, or fewer than `required`, or one of another name.
  absl::Status Check(size_t required, std::initializer_list<absl::string_view> names) const;
};

}  // namespace frond::templates
