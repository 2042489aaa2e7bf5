#include "launch/tree_pruning.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/human_numbers.h"
#include "core/base/status_macros.h"
#include "launch/mixture_builder.h"
#include "launch/prune_config.h"
#include "launch/source_rows.h"

namespace frond {
namespace {

absl::StatusOr<PruneSource> RowsOf(const config::Source& source) {
  PruneSource rows = {.name = source.name(), .layout = RowLayoutOf(source)};
  ASSIGN_OR_RETURN(rows.files, RowFilesOf(source));
  rows.layout.allow_empty_targets = true;
  return rows;
}

absl::Status At(const std::string& name, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("prune of ", name, ": ", status.message()));
}

// In the order of SourcesOf.
void MarkPruned(const config::Mixture& group, bool above, std::vector<bool>& pruned) {
  above |= group.has_prune();
  for (const config::Mixture& child : group.group()) MarkPruned(child, above, pruned);
  for (const config::Dataset& dataset : group.dataset()) {
    pruned.push_back(above || dataset.has_prune());
  }
}

}  // namespace

class TreePruning::Walk {
 public:
  Walk(const std::string& cache_dir, std::span<const std::shared_ptr<const TokenCache>> caches,
       int threads, TreePruning& result)
      : cache_dir_(cache_dir), caches_(caches), threads_(threads), result_(result) {}

  absl::Status Group(const config::Mixture& group) {
    const size_t begin = sources_.size();
    for (const config::Mixture& child : group.group()) RETURN_IF_ERROR(Group(child));
    for (const config::Dataset& dataset : group.dataset()) {
      sources_.push_back(&dataset.source());
      if (!dataset.has_prune()) continue;
      RETURN_IF_ERROR(Prune(dataset.prune(), dataset.source().name(), sources_.size() - 1));
    }
    if (!group.has_prune()) return absl::OkStatus();
    return Prune(group.prune(), group.name().empty() ? "mixture" : group.name(), begin);
  }

 private:
  // All datasets from number `begin` on.
  absl::Status Prune(const config::Prune& prune, const std::string& name, size_t begin) {
    KeptRowsOptions options = {
        .name = name, .seed = prune.seed(), .cache_dir = cache_dir_, .threads = threads_};
    absl::StatusOr<std::vector<RuleOptions>> rules = MakePruneRules(prune.rule());
    RETURN_IF_ERROR(At(name, rules.status()));
    options.rules = *std::move(rules);
    for (size_t i = begin; i < sources_.size(); ++i) {
      ASSIGN_OR_RETURN(PruneSource rows, RowsOf(*sources_[i]));
      options.sources.push_back({.rows = std::move(rows),
                                 .cache = caches_[i].get(),
                                 .before = result_.last_[i].rows,
                                 .before_index = result_.last_[i].index});
    }
    for (const config::Source& set : prune.evaluation()) {
      absl::StatusOr<PruneSource> rows = RowsOf(set);
      RETURN_IF_ERROR(At(name, rows.status()));
      options.evaluation.push_back(*std::move(rows));
    }
    auto kept = KeptRows::OpenOrBuild(options);
    RETURN_IF_ERROR(At(name, kept.status()));
    for (size_t i = begin; i < sources_.size(); ++i) {
      result_.last_[i] = {.rows = kept->get(), .index = i - begin};
    }
    result_.nodes_.push_back(*std::move(kept));
    return absl::OkStatus();
  }

  const std::string& cache_dir_;
  std::span<const std::shared_ptr<const TokenCache>> caches_;
  int threads_;
  TreePruning& result_;
  std::vector<const config::Source*> sources_;
};

absl::StatusOr<TreePruning> TreePruning::Run(
    const config::Data& data, std::span<const std::shared_ptr<const TokenCache>> caches,
    int threads) {
  TreePruning result;
  result.last_.resize(caches.size());
  Walk walk(data.cache_dir(), caches, threads, result);
  RETURN_IF_ERROR(walk.Group(data.mixture()));
  return result;
}

std::vector<std::string> TreePruning::Lines() const {
  struct Sum {
    int64_t rows = 0, dropped = 0;
    std::vector<std::string> rules, ledgers;
  };
  std::map<std::string, Sum> sums;
  std::vector<std::string> order;
  for (const auto& node : nodes_) {
    for (const KeptRows::SourceSummary& source : node->sources()) {
      Sum& sum = sums[source.name];
      if (sum.ledgers.empty()) order.push_back(source.name);
      sum.ledgers.push_back(node->ledger_hash());
      sum.rows = source.rows + source.gone_before;
      sum.dropped += source.rows - source.kept;
      for (size_t r = 0; r < source.dropped.size(); ++r) {
        if (source.dropped[r] == 0) continue;
        sum.rules.push_back(
            absl::StrCat(node->rules()[r].name, " ", WithThousands(source.dropped[r])));
      }
    }
  }
  std::vector<std::string> lines;
  for (const std::string& name : order) {
    const Sum& sum = sums[name];
    lines.push_back(absl::StrCat(
        "'", name, "': pruning left ", WithThousands(sum.rows - sum.dropped), " of ",
        WithThousands(sum.rows), " rows", sum.rules.empty() ? "" : "; dropped by ",
        absl::StrJoin(sum.rules, ", "), "; ledger ", absl::StrJoin(sum.ledgers, ", ")));
  }
  return lines;
}

std::vector<bool> PrunedDatasets(const config::Data& data) {
  std::vector<bool> pruned(static_cast<size_t>(data.source_size()));
  if (data.has_mixture()) MarkPruned(data.mixture(), false, pruned);
  return pruned;
}

}  // namespace frond
