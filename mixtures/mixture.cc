#include "mixtures/mixture.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/hash.h"
#include "core/base/status_macros.h"
#include "mixtures/apportionment.h"

namespace frond {
namespace {

using Wide = unsigned __int128;

constexpr double kSumTolerance = 1e-9;

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

std::string LeafName(absl::string_view source, absl::string_view language,
                     absl::string_view template_id) {
  return absl::StrCat(source, "/", language, template_id.empty() ? "" : "/", template_id);
}

void Mixture::SettleShares() {
  // What rounding left over (about 2^-50 of the whole) goes to the largest leaf.
  const uint64_t sum = std::accumulate(shares_.begin(), shares_.end(), uint64_t{0});
  uint64_t& largest = *std::max_element(shares_.begin(), shares_.end());
  CHECK(sum <= kShareOne || sum - kShareOne < largest / 2) << sum;
  largest += kShareOne - sum;
  for (size_t i = 0; i < leaves_.size(); ++i) {
    leaves_[i].probability = std::ldexp(static_cast<double>(shares_[i]), -kShareBits);
  }
}

absl::StatusOr<Mixture> Mixture::FromLeaves(std::vector<LeafInfo> leaves,
                                            const std::vector<uint64_t>& contents) {
  Mixture mixture;
  double sum = 0;
  for (const LeafInfo& leaf : leaves) {
    const std::string name = absl::StrCat("leaf \"", leaf.source, "\" / \"", leaf.language, "\"");
    if (!(leaf.probability >= 0 && leaf.probability <= 1 + kSumTolerance)) {
      return Invalid(absl::StrCat(name, " has probability ", leaf.probability));
    }
    if (leaf.probability > 0 && leaf.num_examples == 0) {
      return Invalid(absl::StrCat(name, " has probability ", leaf.probability, " but no example"));
    }
    sum += leaf.probability;
    const auto share =
        static_cast<uint64_t>(std::ldexp(std::min(leaf.probability, 1.0), kShareBits));
    mixture.shares_.push_back(leaf.probability > 0 ? std::max(share, kSmallestShare) : 0);
  }
  if (!(std::abs(sum - 1) <= kSumTolerance)) {
    return Invalid(absl::StrCat("the probabilities of ", leaves.size(), " leaves sum to ", sum));
  }
  mixture.leaves_ = std::move(leaves);
  mixture.SettleShares();
  std::string manifest = "tree";
  for (const uint64_t content : contents) absl::StrAppend(&manifest, " ", content);
  for (size_t i = 0; i < mixture.leaves_.size(); ++i) {
    const LeafInfo& leaf = mixture.leaves_[i];
    for (const std::string* name : {&leaf.source, &leaf.language, &leaf.template_id}) {
      absl::StrAppend(&manifest, "\n", name->size(), ":", *name);
    }
    absl::StrAppend(&manifest, " ", leaf.num_examples, " ", mixture.shares_[i]);
  }
  mixture.manifest_hash_ = Hash64(manifest);
  return mixture;
}

absl::StatusOr<Mixture> Mixture::Create(const std::vector<SourceInfo>& sources) {
  ASSIGN_OR_RETURN(const double total_weight, SumWeights(sources));
  Mixture mixture;
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
      mixture.leaves_.push_back(
          {.source = source.name, .language = language.language, .num_examples = examples});
    }
  }
  mixture.SettleShares();
  for (size_t i = 0; i < mixture.leaves_.size(); ++i) {
    const LeafInfo& leaf = mixture.leaves_[i];
    absl::StrAppend(&manifest, leaf.language.size(), ":", leaf.language, " ", leaf.num_examples,
                    " ", mixture.shares_[i], "\n");
  }
  mixture.manifest_hash_ = Hash64(manifest);
  return mixture;
}

}  // namespace frond
