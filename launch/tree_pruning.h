// Prunes the datasets of a tree by the rules that stand in it, without writing them again.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "configs/train.pb.h"
#include "data/token_cache.h"
#include "mixtures/pruning/kept_rows.h"

namespace frond {

// Datasets are numbered as SourcesOf(config.data()) lists them.
class TreePruning {
 public:
  // Nothing is pruned.
  TreePruning() = default;

  // Rules of a group work on its datasets together, in their order, and on what the rules of groups
  // and datasets below have left. `caches` are those of the datasets and outlive the object. Every
  // rank may call it at once: one prunes, the others wait. Errors name the node with the rules.
  static absl::StatusOr<TreePruning> Run(const config::Data& data,
                                         std::span<const std::shared_ptr<const TokenCache>> caches,
                                         int threads);

  bool IsPruned(size_t dataset) const {
    return dataset < last_.size() && last_[dataset].rows != nullptr;
  }
  // Examples of a language that are left, ascending. For a dataset that is pruned.
  std::span<const uint32_t> Left(size_t dataset, int32_t language) const {
    return last_[dataset].rows->examples(last_[dataset].index, language);
  }

  // Of which examples are left. For a dataset that is pruned.
  uint64_t LeftHash(size_t dataset) const {
    return last_[dataset].rows->sources()[last_[dataset].index].kept_hash;
  }

  // Of each node with rules, in the order in which they worked.
  const std::vector<std::shared_ptr<const KeptRows>>& nodes() const { return nodes_; }
  // One line for each dataset that is pruned: rows kept, and dropped by which rules.
  std::vector<std::string> Lines() const;

 private:
  class Walk;
  struct Place {
    const KeptRows* rows = nullptr;
    size_t index = 0;  // among the sources of `rows`
  };
  std::vector<std::shared_ptr<const KeptRows>> nodes_;
  std::vector<Place> last_;  // of each dataset: the last that pruned it
};

// Of each dataset, as SourcesOf lists them: whether rules stand above it.
std::vector<bool> PrunedDatasets(const config::Data& data);

}  // namespace frond
