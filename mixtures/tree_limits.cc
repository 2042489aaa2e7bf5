#include "mixtures/tree_limits.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/nearest_name.h"
#include "core/base/status_macros.h"
#include "mixtures/languages.h"

namespace frond {
namespace {

using Each = ShareLimit::Each;
using Leaves = std::span<const LeafPath>;

absl::Status Invalid(const std::string& what) { return absl::InvalidArgumentError(what); }

std::string ClassOf(const LeafPath& leaf) {
  return std::string(ResourceClassName(ResourceClassOf(leaf.language)));
}

// Whether `wanted` is among what the leaves are called, or else an error that says what is.
absl::Status CheckName(absl::string_view kind, const std::string& wanted, Leaves leaves,
                       const std::function<std::vector<std::string>(const LeafPath&)>& names_of) {
  if (wanted.empty()) return absl::OkStatus();
  std::set<std::string> names;
  for (const LeafPath& leaf : leaves) {
    for (std::string& name : names_of(leaf)) names.insert(std::move(name));
  }
  if (names.count(wanted) > 0) return absl::OkStatus();
  const std::vector<std::string> known(names.begin(), names.end());
  return Invalid(absl::StrCat("a limit names ", kind, " \"", wanted,
                              "\", which the mixture does not have; did you mean \"",
                              NearestName(wanted, known), "\"?"));
}

// A language that the mixture lacks may still be limited, so that limits can be shared between
// mixtures; a code that is no language's may not.
absl::Status CheckLanguage(const std::string& wanted, Leaves leaves) {
  if (wanted.empty() || FindLanguage(wanted) != nullptr) return absl::OkStatus();
  std::vector<std::string> known;
  for (const LeafPath& leaf : leaves) {
    if (leaf.language == wanted) return absl::OkStatus();
    known.push_back(leaf.language);
  }
  return Invalid(absl::StrCat("a limit names language \"", wanted, "\", an unknown code; did you ",
                              "mean \"", NearestLanguage(wanted, known), "\"?"));
}

absl::Status CheckNames(const ShareLimit& limit, Leaves leaves) {
  using Names = std::vector<std::string>;
  RETURN_IF_ERROR(
      CheckName("group", limit.group, leaves, [](const LeafPath& leaf) { return leaf.groups; }));
  RETURN_IF_ERROR(CheckName("dataset", limit.dataset, leaves,
                            [](const LeafPath& leaf) { return Names{leaf.dataset}; }));
  RETURN_IF_ERROR(CheckName("template", limit.template_id, leaves,
                            [](const LeafPath& leaf) { return Names{leaf.template_id}; }));
  const std::vector<std::string> classes = {"high", "mid", "low", "other"};
  if (!limit.resource_class.empty() &&
      std::find(classes.begin(), classes.end(), limit.resource_class) == classes.end()) {
    return Invalid(absl::StrCat("a limit names resource class \"", limit.resource_class,
                                "\"; it must be one of ", absl::StrJoin(classes, ", ")));
  }
  return CheckLanguage(limit.language, leaves);
}

bool Matches(const ShareLimit& limit, const LeafPath& leaf) {
  const auto fits = [](const std::string& wanted, const std::string& has) {
    return wanted.empty() || wanted == has;
  };
  return (limit.group.empty() ||
          std::find(leaf.groups.begin(), leaf.groups.end(), limit.group) != leaf.groups.end()) &&
         fits(limit.dataset, leaf.dataset) && fits(limit.template_id, leaf.template_id) &&
         fits(limit.resource_class, ClassOf(leaf)) &&
         fits(CanonicalLanguage(limit.language), CanonicalLanguage(leaf.language));
}

// What a limit holds for, as words: those that it names and those that it is divided by.
std::string WordsOf(const ShareLimit& limit, const LeafPath& leaf) {
  const Each each = limit.each;
  std::vector<std::string> words;
  const auto add = [&words](absl::string_view kind, const std::string& name, bool divided,
                            const std::string& of_leaf) {
    const std::string& shown = divided ? of_leaf : name;
    if (!shown.empty()) words.push_back(absl::StrCat(kind, " \"", shown, "\""));
  };
  const bool leafwise = each == Each::kLeaf;
  add("group", limit.group, false, "");
  add("resource class", limit.resource_class, each == Each::kResourceClass, ClassOf(leaf));
  add("dataset", limit.dataset,
      leafwise || each == Each::kDataset || each == Each::kDatasetLanguage, leaf.dataset);
  add("language", limit.language,
      leafwise || each == Each::kLanguage || each == Each::kDatasetLanguage,
      leafwise ? leaf.language : CanonicalLanguage(leaf.language));
  add("template", limit.template_id, leafwise, leaf.template_id);
  return words.empty() ? "all leaves" : absl::StrJoin(words, ", ");
}

struct Range {
  double low = 0, high = 1;
  std::string words;  // "max_epochs 4"
};

absl::Status Narrow(const std::optional<double>& value, absl::string_view name, double per_share,
                    bool is_low, Range& range) {
  if (!value.has_value()) return absl::OkStatus();
  if (!std::isfinite(*value) || *value < 0) {
    return Invalid(absl::StrCat(name, " of a limit is ", *value, "; it must be at least 0"));
  }
  if (per_share == 1 && *value > 1) {
    return Invalid(absl::StrCat(name, " of a limit is ", *value, "; it must be at most 1"));
  }
  if (!(per_share > 0)) {
    return Invalid(absl::StrCat(
        name, " of a limit needs `examples` of the mixture: how many the run ", "is to see"));
  }
  const double share = *value / per_share;
  (is_low ? range.low : range.high) =
      is_low ? std::max(range.low, share) : std::min(range.high, share);
  absl::StrAppend(&range.words, range.words.empty() ? "" : ", ", name, " ", *value);
  return absl::OkStatus();
}

// Of leaves that hold `examples` in all.
absl::StatusOr<Range> RangeOf(const ShareLimit& limit, double examples, double run_examples) {
  Range range;
  RETURN_IF_ERROR(Narrow(limit.min_share, "min_share", 1, true, range));
  RETURN_IF_ERROR(Narrow(limit.max_share, "max_share", 1, false, range));
  RETURN_IF_ERROR(Narrow(limit.min_examples, "min_examples", run_examples, true, range));
  RETURN_IF_ERROR(Narrow(limit.max_examples, "max_examples", run_examples, false, range));
  if (limit.max_epochs.has_value() && examples > 0) {
    RETURN_IF_ERROR(Narrow(limit.max_epochs, "max_epochs", run_examples / examples, false, range));
  }
  if (range.words.empty() && !limit.max_epochs.has_value()) {
    return Invalid(
        "a limit without a bound; give it min_share, max_share, min_examples, max_examples or "
        "max_epochs");
  }
  return range;
}

absl::Status AddBounds(const ShareLimit& limit, Leaves leaves, double run_examples,
                       std::vector<ShareBound>& bounds) {
  std::map<std::string, ShareBound> sets;
  std::vector<std::string> order;
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (!Matches(limit, leaves[i])) continue;
    const std::string words = WordsOf(limit, leaves[i]);
    const auto [set, is_new] = sets.try_emplace(words);
    if (is_new) order.push_back(words);
    set->second.items.push_back(static_cast<int>(i));
  }
  if (order.empty()) {
    ASSIGN_OR_RETURN(const Range range, RangeOf(limit, 1, run_examples));
    if (range.low <= 0) return absl::OkStatus();
    return Invalid(absl::StrCat(range.words, " of ", WordsOf(limit, {}),
                                " cannot be met: no leaf of the mixture matches it"));
  }
  for (const std::string& words : order) {
    ShareBound& bound = sets[words];
    double examples = 0;
    for (const int leaf : bound.items) examples += leaves[leaf].examples;
    ASSIGN_OR_RETURN(const Range range, RangeOf(limit, examples, run_examples));
    bound.what = absl::StrCat(range.words, " of ", words);
    bound.low = range.low;
    bound.high = range.high;
    bounds.push_back(std::move(bound));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<ShareBound>> BoundsOfLimits(std::span<const ShareLimit> limits,
                                                       Leaves leaves, double run_examples) {
  std::vector<ShareBound> bounds;
  for (const ShareLimit& limit : limits) {
    RETURN_IF_ERROR(CheckNames(limit, leaves));
    RETURN_IF_ERROR(AddBounds(limit, leaves, run_examples, bounds));
  }
  return bounds;
}

}  // namespace frond
