#include "core/base/name_list.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace frond {

std::string NameList(std::span<const std::string> names, size_t most) {
  const std::string text = absl::StrJoin(names.first(std::min(names.size(), most)), ", ");
  return names.size() <= most ? text : absl::StrCat(text, " and ", names.size() - most, " more");
}

}  // namespace frond
