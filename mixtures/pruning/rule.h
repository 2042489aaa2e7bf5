// What a pruning rule is: a look at each row by itself, on any thread, and a decision in the order
// of the rows where it depends on other rows.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/example.h"
#include "mixtures/pruning/language_scorer.h"
#include "mixtures/pruning/rule_options.h"

namespace frond {

// What a look at one row gave.
struct Opinion {
  enum class Kind { kKeep, kDrop, kAsk };
  Kind kind = Kind::kKeep;
  std::string reason;  // of kDrop
  // Of kAsk: what Rule::Decide wants to know of the row.
  uint64_t hash = 0;
  std::vector<uint32_t> keys;
  std::string text;
  std::string sketch;  // near duplicates: a byte of each value of the signature
  LanguageFeatures language;
  double margin_fresh = 0;
  double margin_learnt = 0;
  double score = 0;

  static Opinion Keep() { return {}; }
  static Opinion Drop(std::string reason) {
    return {.kind = Kind::kDrop, .reason = std::move(reason)};
  }
};

// Looks at rows on one thread.
class RuleWorker {
 public:
  virtual ~RuleWorker() = default;
  // `line` is the row as it stands in its file.
  virtual absl::StatusOr<Opinion> Look(const Example& example, absl::string_view line) = 0;
};

// Where a row stands among all.
struct RowPlace {
  int source = 0;       // of the sources; -1 - i is evaluation set i
  int64_t row = 0;      // in the source, from 1
  int64_t ordinal = 0;  // among all rows of all sources, from 0
  absl::string_view source_name;
  const Example* example = nullptr;
};

class Rule {
 public:
  virtual ~Rule() = default;

  // For one pass over the rows.
  virtual std::unique_ptr<RuleWorker> NewWorker() const = 0;

  // A worker's kAsk is answered here, in the order of the rows, by the reason that drops the row;
  // an empty one keeps it. Rows that an earlier rule drops never come here.
  virtual absl::StatusOr<std::string> Decide(const RowPlace&, Opinion&) { return std::string(); }

  // True: before it decides, the rule wants to see every row that reaches it. All opinions of a
  // first pass then come to Study, and Decide follows in a second one.
  virtual bool studies() const { return false; }
  // Also rows that pass the rule by.
  virtual bool studies_other_rows() const { return false; }
  virtual void Study(const RowPlace&, Opinion&) {}
  virtual absl::Status FinishStudy() { return absl::OkStatus(); }

  // True: rows of the evaluation sets come to AddEvaluation before all others.
  virtual bool reads_evaluation() const { return false; }
  virtual absl::Status AddEvaluation(const RowPlace&, Opinion&) { return absl::OkStatus(); }

  // Hash tables and what else grows with the rows.
  virtual int64_t memory_bytes() const { return 0; }
};

// The text of a row's side; both sides are joined by a line feed, in `joined`.
absl::string_view SideOf(const Example& example, Side side, std::string* joined);

// Settings that make no sense (a bad pattern, an unknown script) are errors that name the rule.
// `seed` keys random choices. `source_names` and `evaluation_names` are for reasons.
struct RuleContext {
  uint64_t seed = 0;
  std::vector<std::string> source_names;
  std::vector<std::string> evaluation_names;
  std::string scratch_dir = {};  // for temporary files
};
absl::StatusOr<std::unique_ptr<Rule>> MakeRule(const RuleOptions& options,
                                               const RuleContext& context);

}  // namespace frond
