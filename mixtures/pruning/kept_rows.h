// The rows that rules leave of datasets that are tokenised already: worked out once, then mapped
// from a file beside the token caches, with the ledger of every decision.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/file.h"
#include "data/token_cache.h"
#include "mixtures/pruning/rule_options.h"

namespace frond {

class KeptRows;

// A dataset to prune.
struct KeptSource {
  PruneSource rows;
  const TokenCache* cache = nullptr;  // of the same rows: example i is row i
  // What other rules have left of it, as source `before_index` there; null: all rows.
  const KeptRows* before = nullptr;
  size_t before_index = 0;
};

struct KeptRowsOptions {
  std::string name;  // of the group or dataset that holds the rules, for messages and the file
  std::vector<KeptSource> sources;
  std::vector<PruneSource> evaluation;
  std::vector<RuleOptions> rules;
  uint64_t seed = 0;
  std::string cache_dir;  // where the files are kept; must exist
  int threads = 1;
};

// Immutable. Spans live as long as the object.
class KeptRows {
 public:
  struct RuleSummary {
    std::string name, kind, settings;
  };
  struct SourceSummary {
    std::string name;
    int64_t rows = 0;         // that the rules saw
    int64_t kept = 0;         // of them
    int64_t gone_before = 0;  // that `before` had dropped
    uint64_t kept_hash = 0;   // of the numbers of all examples that are left
    // Of each rule.
    std::vector<int64_t> seen = {}, dropped = {};
  };

  // Opens the result for these rules, datasets and evaluation sets, or prunes where there is none
  // or where it is damaged. Processes and threads that ask at the same time wait for the one that
  // prunes. Errors are those of PrunePasses::Run, a kept row without a target (`file:line: what`),
  // and rows that do not fit the token cache.
  static absl::StatusOr<std::shared_ptr<const KeptRows>> OpenOrBuild(
      const KeptRowsOptions& options);

  // Numbers in the token cache of source `source`, ascending; may be empty.
  std::span<const uint32_t> examples(size_t source, int32_t language) const;

  const std::string& name() const { return name_; }
  const std::vector<RuleSummary>& rules() const { return rules_; }
  const std::vector<SourceSummary>& sources() const { return sources_; }
  const std::string& ledger_hash() const { return ledger_hash_; }
  const std::string& ledger_path() const { return ledger_path_; }
  // Names this result: equal keys hold equal rows.
  uint64_t key() const { return key_; }

 private:
  KeptRows() = default;
  static absl::StatusOr<std::shared_ptr<KeptRows>> Open(const std::string& path, uint64_t key);
  // False where the text is not what the builder writes.
  bool ReadSummary(absl::string_view json, uint64_t num_kept);

  std::string name_;
  uint64_t key_ = 0;
  std::vector<RuleSummary> rules_;
  std::vector<SourceSummary> sources_;
  std::string ledger_hash_, ledger_path_;
  std::unique_ptr<MappedFile> file_;
  const uint32_t* kept_ = nullptr;
  std::vector<std::vector<uint64_t>> starts_;  // [source][languages + 1] into kept_
};

}  // namespace frond
