#include "data/templates/budget.h"

#include <string>

namespace frond::templates {
namespace {

// Of a value by itself, of text or a container around what is in it, and of a map's entry.
constexpr int64_t kValue = 16;
constexpr int64_t kContainer = 32;
constexpr int64_t kEntry = 64;
// How deeply lists and maps may lie in each other, and what deeper ones cost: more than there is.
constexpr int kDeepest = 200;
constexpr int64_t kTooMuch = int64_t{1} << 30;

}  // namespace

absl::Status Budget::UsedUp() {
  return absl::InvalidArgumentError(
      "too much work for one row: its loops, lists or texts grow too large");
}

int64_t Budget::CostOf(const nlohmann::json& json, int depth) {
  if (json.is_string()) {
    return kContainer + static_cast<int64_t>(json.get_ref<const std::string&>().size());
  }
  if (!json.is_structured()) return kValue;
  if (depth == kDeepest) return kTooMuch;
  int64_t cost = kContainer;
  if (json.is_array()) {
    for (const nlohmann::json& element : json) cost += CostOf(element, depth + 1);
    return cost;
  }
  for (auto entry = json.begin(); entry != json.end(); ++entry) {
    cost += kEntry + static_cast<int64_t>(entry.key().size()) + CostOf(*entry, depth + 1);
  }
  return cost;
}

}  // namespace frond::templates
