#include "data/templates/arguments.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace frond::templates {

const Json* Arguments::Find(size_t place, absl::string_view name) const {
  const Json* found = place < positional.size() ? &positional[place].json() : nullptr;
  for (const auto& [key, value] : named) {
    if (key == name) found = &value.json();
  }
  return found == nullptr || found->is_null() ? nullptr : found;
}

absl::StatusOr<std::string> Arguments::Text(size_t place, absl::string_view name,
                                            absl::string_view otherwise) const {
  const Json* found = Find(place, name);
  if (found == nullptr) return std::string(otherwise);
  if (found->is_string()) return found->get<std::string>();
  return absl::InvalidArgumentError(
      absl::StrCat("its '", name, "' is ", KindOf(*found), ", not text"));
}

absl::StatusOr<int64_t> Arguments::Integer(size_t place, absl::string_view name,
                                           int64_t otherwise) const {
  const Json* found = Find(place, name);
  if (found == nullptr) return otherwise;
  if (IsInteger(*found)) return IntegerOf(*found);
  return absl::InvalidArgumentError(
      absl::StrCat("its '", name, "' is ", KindOf(*found), ", not a whole number"));
}

bool Arguments::Flag(size_t place, absl::string_view name, bool otherwise) const {
  const Json* found = Find(place, name);
  return found == nullptr ? otherwise : Truth(*found);
}

absl::Status Arguments::Take() const {
  for (const Value& value : positional) RETURN_IF_ERROR(budget->TakeFor(value.json()));
  for (const auto& [name, value] : named) RETURN_IF_ERROR(budget->TakeFor(value.json()));
  return absl::OkStatus();
}

absl::Status Arguments::Check(size_t required,
                              std::initializer_list<absl::string_view> names) const {
  if (positional.size() > names.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("it takes at most ", names.size(), " arguments, not ", positional.size()));
  }
  for (const auto& [key, value] : named) {
    if (std::find(names.begin(), names.end(), key) == names.end()) {
      return absl::InvalidArgumentError(absl::StrCat("it has no argument '", key, "'"));
    }
  }
  size_t place = 0;
  for (const absl::string_view name : names) {
    if (place >= required) break;
    const bool given = place < positional.size() ||
                       std::any_of(named.begin(), named.end(),
                                   [&](const auto& argument) { return argument.first == name; });
    if (!given) return absl::InvalidArgumentError(absl::StrCat("it needs '", name, "'"));
    ++place;
  }
  return absl::OkStatus();
}

}  // namespace frond::templates
