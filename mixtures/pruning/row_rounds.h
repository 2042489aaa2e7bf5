// Reads the rows of a list of sources in rounds and looks at them on several threads. What comes
// out, in the order of the rows, does not depend on the number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "mixtures/pruning/rule.h"

namespace frond {

// What is known of a row before its turn comes.
struct LookedRow {
  absl::string_view line;  // the row as JSON
  std::string made_line;   // what `line` points to where the file is no JSONL
  int64_t line_number = 0;
  const std::string* path = nullptr;  // of the file, in the options' sources
  int source = 0;
  bool skipped = false;  // nobody looked at it: an earlier pass had dropped it
  Example example;
  uint64_t applied = 0;  // bit i: rule i looked, or would have
  int dropped_by = -1;   // the first rule whose look dropped it
  std::string reason;
  std::vector<std::pair<int, Opinion>> asked;  // of the rules before that one, in their order
};

// A rule and what it is limited to.
struct LimitedRule {
  const RuleOptions* options = nullptr;
  Rule* rule = nullptr;
  // Whether the rule looks at such a row of the source called `source_name`.
  bool Applies(const Example& example, const std::string& source_name) const;
};

struct RoundsOptions {
  std::span<const PruneSource> sources;
  std::span<const LimitedRule> rules;  // of the pass
  int first_rule = 0;                  // rules[0] among all
  bool apply_limits = true;
  int studying = -1;  // the rule that studies in this pass
  int threads = 1;
  // Rows that need no look, by ordinal; may be empty.
  const std::vector<bool>* skip = nullptr;
};

// Calls `take` for each row in order, on the calling thread. The first error, of a file, a row
// (`file:line: what`) or of `take`, ends it.
absl::Status ForEachRow(const RoundsOptions& options,
                        const std::function<absl::Status(LookedRow& row)>& take);

}  // namespace frond
