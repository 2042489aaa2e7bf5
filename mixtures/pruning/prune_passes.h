// Judges the rows of all sources by all rules, in as many passes over the files as the rules need;
// what becomes of the rows is for a PruneSink to say.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "mixtures/pruning/ledger.h"
#include "mixtures/pruning/row_rounds.h"
#include "mixtures/pruning/rule.h"

namespace frond {

constexpr size_t kMaxPruneRules = 64;

// Takes every row once: a dropped one in the pass that drops it, the others in the last pass; both
// in the order of the rows. The first error ends the passes.
class PruneSink {
 public:
  virtual ~PruneSink() = default;
  virtual absl::Status Keep(const RowPlace& place, const LookedRow& row) = 0;
  // `rule` is the number of the rule that drops it, row.reason why.
  virtual absl::Status Drop(const RowPlace& place, const LookedRow& row, int rule) = 0;
};

struct PruneTask {
  std::span<const PruneSource> sources;
  std::span<const PruneSource> evaluation;
  const std::vector<RuleOptions>& rules;
  uint64_t seed = 0;
  int threads = 1;
  bool list_hashes = false;
  std::string scratch_dir;  // for temporary files; must exist
  // How many rows each source had when others counted them; empty: nobody did.
  std::vector<int64_t> known_rows = {};
  // Of as many rows as `known_rows` has, by ordinal, those that others have dropped: no rule sees
  // them and no sink. May be null.
  const std::vector<bool>* gone = nullptr;
};

class PrunePasses {
 public:
  // Both outlive the object.
  PrunePasses(const PruneTask& task, PruneSink& sink);

  // Once. Errors, in one line: settings of rules that make no sense, a bad row (`file:line: what`),
  // a source without rows, a rule limited to a language or dataset that no source has, files that
  // change meanwhile or since their rows were counted, and those of the sink.
  absl::Status Run();

  const Ledger& ledger() const { return ledger_; }
  Ledger::Facts& facts() { return facts_; }
  int64_t memory_bytes() const;  // of the rules' tables

 private:
  absl::Status MakeRules();
  absl::Status ReadEvaluation();
  absl::Status RunPass(size_t first, size_t end, bool study);
  absl::Status Take(LookedRow& row);
  // The rule that drops the row, or -1; sets the row's reason.
  absl::StatusOr<int> Judge(const RowPlace& place, LookedRow& row);
  absl::Status CheckLimits() const;
  absl::Status CheckRowCounts() const;
  // The error that the source has other rows than it had, `now` of them.
  absl::Status Changed(size_t source, absl::string_view now) const;

  const PruneTask& task_;
  PruneSink& sink_;
  std::vector<std::unique_ptr<Rule>> rules_;
  std::vector<LimitedRule> limited_;
  Ledger ledger_;
  Ledger::Facts facts_;
  std::vector<bool> dropped_;  // by ordinal; empty where there is only one pass
  // Of each source: the known number of rows, then that of the first pass. No ordinal is beyond
  // their sum, whatever the files do.
  std::vector<int64_t> expected_rows_;

  // Of the pass that runs.
  bool is_first_pass_ = true;
  bool is_last_pass_ = false;
  size_t first_rule_ = 0;
  size_t end_rule_ = 0;
  int studying_ = -1;  // the rule that studies
  int64_t ordinal_ = 0;
  std::vector<int64_t> source_rows_;
};

}  // namespace frond
