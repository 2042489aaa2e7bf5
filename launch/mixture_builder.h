// From the sources or the tree of a config to a mixture with its examples: opens the tokenised
// caches, splits them into leaves and resolves the leaves' probabilities.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "configs/train.pb.h"
#include "data/token_cache.h"
#include "data/tokenizer.h"
#include "launch/source_ledger.h"
#include "launch/tree_pruning.h"
#include "mixtures/mixture.h"
#include "mixtures/mixture_tree.h"

namespace frond {

// Where the examples of a leaf lie.
struct LeafExamples {
  const TokenCache* cache = nullptr;
  std::span<const uint32_t> examples;  // numbers in the cache, ascending
  uint64_t dropped = 0;                // others that pruning dropped
  bool by_template = false;            // they are numbers of variants, of one template

  // Numbers in the cache of the variants that `example`, one of `examples`, is served as.
  TokenCache::Variants VariantsOf(uint32_t example) const {
    return by_template ? TokenCache::Variants{example, 1} : cache->variants(example);
  }
};

struct BuiltMixture {
  std::unique_ptr<const Mixture> mixture;
  std::optional<ResolvedTree> tree;  // none for a list of sources
  std::vector<LeafExamples> leaves;  // in the order of the mixture's
  // What `leaves` point into.
  std::vector<std::shared_ptr<const TokenCache>> caches;
  std::vector<std::vector<SourceLedger>> source_ledgers;  // of each cache: of `frond prune`
  TreePruning pruning;
  std::vector<std::unique_ptr<const std::vector<uint32_t>>> split_by_template;
};

// Opens (or builds) the caches of data.source or data.mixture. Every rank may call it at once: one
// builds, the others wait. `threads` tokenise. Errors are those of the caches and of
// Mixture::Create, TreePruning::Run or ResolveTree.
absl::StatusOr<BuiltMixture> BuildMixture(const config::TrainConfig& config,
                                          const Tokenizer& tokenizer, int threads);

// One dataset. Empty targets are allowed where rules will drop them.
absl::StatusOr<std::shared_ptr<const TokenCache>> OpenSource(const config::Source& source,
                                                             const std::string& cache_dir,
                                                             const Tokenizer& tokenizer,
                                                             int threads,
                                                             bool allow_empty_targets = false);

}  // namespace frond
