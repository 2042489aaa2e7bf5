#include "mixtures/mixture.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/hash.h"
#include "core/base/status_macros.h"
#include "mixtures/apportionment.h"

namespace frond {
namespace {

using Wide = unsigned __int128;

absl::Status Invalid(const std::string& what) { return absl::InvalidArgumentError(what); }

absl::StatusOr<uint64_t> CountExamples(const SourceInfo& source) {
  std::set<std::string> seen;
  uint64_t total = 0;
  for (const LanguageCount& language : source.languages) {
    if (!seen.insert(language.language).second) {
      return Invalid(absl::StrCat("source \"", source.name, "\" lists language \"",
                                  language.language, "\" twice"));
    }
    total += language.num_examples;
  }
  if (source.weight > 0 && total == 0) {
    return Invalid(absl::StrCat("source \"", source.name, "\" has weight ", source.weight,
                                " but no examples; give it rows or weight 0"));
  }
  return total;
}

absl::StatusOr<double> SumWeights(const std::vector<SourceInfo>& sources) {
  if (sources.empty()) return Invalid("the mixture has no source; it needs at least one");
  std::set<std::string> names;
  double total = 0;
  for (const SourceInfo& source : sources) {
    if (!names.insert(source.name).second) {
      return Invalid(absl::StrCat("two sources are named \"", source.name, "\""));
    }
    if (!std::isfinite(source.weight) || source.weight < 0) {
      return Invalid(absl::StrCat("source \"", source.name, "\" has weight ", source.weight,
                                  "; it must be a finite number, at least 0"));
    }
    total += source.weight;
  }
  if (!(total > 0 && std::isfinite(total))) {
    return Invalid(absl::StrCat("the weights of the sources sum to ", total,
                                "; they must sum to a finite number greater than 0"));
  }
  return total;
}

}  // namespace

absl::StatusOr<Mixture> Mixture::Create(const std::vector<SourceInfo>& sources) {
  ASSIGN_OR_RETURN(const double total_weight, SumWeights(sources));
  Mixture mixture;
  uint64_t sum = 0;
  std::string manifest;
  for (const SourceInfo& source : sources) {
    ASSIGN_OR_RETURN(const uint64_t rows, CountExamples(source));
    // One rounded division and an exact scaling: the same bits on every machine.
    const uint64_t source_share =
        static_cast<uint64_t>(std::ldexp(std::min(source.weight / total_weight, 1.0), kShareBits));
    absl::StrAppend(&manifest, source.name.size(), ":", source.name, " ", source.content_hash,
                    "\n");
    for (const LanguageCount& language : source.languages) {
      const uint64_t examples = language.num_examples;
      uint64_t share = rows == 0 ? 0 : static_cast<uint64_t>(Wide{source_share} * examples / rows);
      if (source.weight > 0 && examples > 0) share = std::max(share, kSmallestShare);
      mixture.shares_.push_back(share);
      mixture.leaves_.push_back({source.name, language.language, examples, 0});
      sum += share;
    }
  }
  // What rounding left over (about 2^-50 of the whole) goes to the largest leaf.
  uint64_t& largest = *std::max_element(mixture.shares_.begin(), mixture.shares_.end());
  CHECK(sum <= kShareOne || sum - kShareOne < largest / 2) << sum;
  largest += kShareOne - sum;
  for (size_t i = 0; i < mixture.leaves_.size(); ++i) {
    LeafInfo& leaf = mixture.leaves_[i];
    leaf.probability = std::ldexp(static_cast<double>(mixture.shares_[i]), -kShareBits);
    absl::StrAppend(&manifest, leaf.language.size(), ":", leaf.language, " ", leaf.num_examples,
                    " ", mixture.shares_[i], "\n");
  }
  mixture.manifest_hash_ = Hash64(manifest);
  return mixture;
}

}  // namespace frond
