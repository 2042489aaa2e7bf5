#include "mixtures/pruning/prune_passes.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/hash.h"
#include "core/base/nearest_name.h"
#include "core/base/status_macros.h"

namespace frond {
namespace {

absl::Status UnknownLimit(const RuleOptions& rule, absl::string_view what,
                          const std::string& wanted, const std::vector<std::string>& known) {
  return absl::InvalidArgumentError(
      absl::StrCat("rule '", rule.name, "' is limited to ", what, " '", wanted,
                   "', which no source has; did you mean '", NearestName(wanted, known), "'?"));
}

}  // namespace

PrunePasses::PrunePasses(const PruneTask& task, PruneSink& sink)
    : task_(task), sink_(sink), ledger_(task.rules, task.list_hashes) {}

absl::Status PrunePasses::MakeRules() {
  if (task_.rules.size() > kMaxPruneRules) {
    return absl::InvalidArgumentError(absl::StrCat("there are ", task_.rules.size(),
                                                   " rules; at most ", kMaxPruneRules, " work"));
  }
  RuleContext context{.seed = task_.seed, .scratch_dir = task_.scratch_dir};
  for (const PruneSource& source : task_.sources) context.source_names.push_back(source.name);
  for (const PruneSource& source : task_.evaluation) {
    context.evaluation_names.push_back(source.name);
  }
  for (const RuleOptions& options : task_.rules) {
    ASSIGN_OR_RETURN(std::unique_ptr<Rule> rule, MakeRule(options, context));
    rules_.push_back(std::move(rule));
    limited_.push_back({&options, rules_.back().get()});
  }
  facts_.seed = task_.seed;
  return absl::OkStatus();
}

absl::Status PrunePasses::ReadEvaluation() {
  std::vector<LimitedRule> readers;
  for (const LimitedRule& rule : limited_) {
    if (rule.rule->reads_evaluation()) readers.push_back(rule);
  }
  for (const PruneSource& set : task_.evaluation) {
    facts_.evaluation.push_back({.name = set.name});
  }
  const auto take = [&](LookedRow& row) -> absl::Status {
    SourceRecord& record = facts_.evaluation[static_cast<size_t>(row.source)];
    record.AddRow(*row.path, row.line);
    const RowPlace place{.source = -1 - row.source,
                         .row = record.rows,
                         .source_name = record.name,
                         .example = &row.example};
    for (auto& [rule, opinion] : row.asked) {
      RETURN_IF_ERROR(readers[static_cast<size_t>(rule)].rule->AddEvaluation(place, opinion));
    }
    return absl::OkStatus();
  };
  return ForEachRow({.sources = task_.evaluation,
                     .rules = readers,
                     .apply_limits = false,
                     .threads = task_.threads},
                    take);
}

absl::Status PrunePasses::Run() {
  for (const PruneSource& source : task_.sources) facts_.sources.push_back({.name = source.name});
  expected_rows_ = task_.known_rows;
  if (task_.gone != nullptr) {
    CHECK_EQ(std::accumulate(expected_rows_.begin(), expected_rows_.end(), int64_t{0}),
             static_cast<int64_t>(task_.gone->size()));
    dropped_ = *task_.gone;
  }
  RETURN_IF_ERROR(MakeRules());
  RETURN_IF_ERROR(ReadEvaluation());
  size_t first = 0;
  while (true) {
    // A rule that studies ends a pass, and decides at the beginning of the next one.
    size_t end = first;
    const auto studies = [&](size_t rule) {
      return rules_[rule]->studies() && (is_first_pass_ || rule != first);
    };
    while (end < rules_.size() && !studies(end)) ++end;
    const bool study = end < rules_.size();
    RETURN_IF_ERROR(RunPass(first, study ? end + 1 : end, study));
    if (!study) return absl::OkStatus();
    if (const absl::Status status = rules_[end]->FinishStudy(); !status.ok()) {
      return absl::Status(status.code(), absl::StrCat("rule '", task_.rules[end].name,
                                                      "': ", std::string(status.message())));
    }
    first = end;
    is_first_pass_ = false;
  }
}

absl::Status PrunePasses::RunPass(size_t first, size_t end, bool study) {
  first_rule_ = first;
  end_rule_ = end;
  studying_ = study ? static_cast<int>(end) - 1 : -1;
  is_last_pass_ = !study;
  ordinal_ = 0;
  source_rows_.assign(task_.sources.size(), 0);
  // A copy: threads ask it while this one marks what the pass drops.
  const std::vector<bool> skip = is_first_pass_ ? std::vector<bool>() : dropped_;
  RETURN_IF_ERROR(ForEachRow({.sources = task_.sources,
                              .rules = std::span(limited_).subspan(first, end - first),
                              .first_rule = static_cast<int>(first),
                              .studying = studying_,
                              .threads = task_.threads,
                              .skip = is_first_pass_ ? task_.gone : &skip},
                             [this](LookedRow& row) { return Take(row); }));
  for (size_t s = 0; is_first_pass_ && s < source_rows_.size(); ++s) {
    if (source_rows_[s] > 0) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("source '", task_.sources[s].name, "' has no rows: '",
                     task_.sources[s].files.front().path, "' is empty"));
  }
  if (!expected_rows_.empty()) RETURN_IF_ERROR(CheckRowCounts());
  if (!is_first_pass_) return absl::OkStatus();
  expected_rows_ = source_rows_;
  return CheckLimits();
}

absl::StatusOr<int> PrunePasses::Judge(const RowPlace& place, LookedRow& row) {
  for (auto& [rule, opinion] : row.asked) {
    if (rule == studying_) {
      rules_[static_cast<size_t>(rule)]->Study(place, opinion);
      continue;
    }
    ASSIGN_OR_RETURN(std::string reason, rules_[static_cast<size_t>(rule)]->Decide(place, opinion));
    if (reason.empty()) continue;
    row.reason = std::move(reason);
    return rule;
  }
  return row.dropped_by;
}

absl::Status PrunePasses::Take(LookedRow& row) {
  const size_t source = static_cast<size_t>(row.source);
  const int64_t ordinal = ordinal_++;
  // Tables by ordinal end with the rows that were there before.
  if (++source_rows_[source] > (expected_rows_.empty() ? ordinal_ : expected_rows_[source])) {
    return Changed(source, "more");
  }
  if (row.skipped) {
    if (is_first_pass_) ++facts_.sources[source].gone_before;
    return absl::OkStatus();
  }
  const std::string& name = task_.sources[source].name;
  const int leaf = ledger_.LeafOf(row.source, name, row.example);
  if (is_first_pass_) {
    ledger_.AddRow(leaf);
    if (!is_last_pass_ && task_.gone == nullptr) dropped_.push_back(false);
    facts_.sources[source].AddRow(*row.path, row.line);
  }
  const RowPlace place{.source = row.source,
                       .row = source_rows_[source],
                       .ordinal = ordinal,
                       .source_name = name,
                       .example = &row.example};
  ASSIGN_OR_RETURN(const int dropped_by, Judge(place, row));
  const int last = dropped_by >= 0 ? dropped_by : static_cast<int>(end_rule_) - 1;
  for (int rule = static_cast<int>(first_rule_); rule <= last; ++rule) {
    const bool applied = (row.applied >> rule & 1) != 0;
    if (applied && rule != studying_) ledger_.AddSeen(leaf, rule);
  }
  if (dropped_by < 0) {
    if (!is_last_pass_) return absl::OkStatus();
    ledger_.AddKept(leaf);
    ++facts_.sources[source].kept;
    return sink_.Keep(place, row);
  }
  ledger_.AddDropped(leaf, dropped_by, Hash64(row.line));
  if (!dropped_.empty()) dropped_[static_cast<size_t>(ordinal)] = true;
  return sink_.Drop(place, row, dropped_by);
}

absl::Status PrunePasses::CheckLimits() const {
  const std::vector<std::string> languages = ledger_.Languages();
  const std::vector<std::string> datasets = ledger_.Datasets();
  const auto knows = [](const std::vector<std::string>& sorted, const std::string& name) {
    return std::binary_search(sorted.begin(), sorted.end(), name);
  };
  for (const RuleOptions& rule : task_.rules) {
    for (const std::string& language : rule.languages) {
      if (!knows(languages, language)) return UnknownLimit(rule, "language", language, languages);
    }
    for (const std::string& dataset : rule.datasets) {
      if (!knows(datasets, dataset)) return UnknownLimit(rule, "dataset", dataset, datasets);
    }
  }
  return absl::OkStatus();
}

absl::Status PrunePasses::CheckRowCounts() const {
  for (size_t s = 0; s < source_rows_.size(); ++s) {
    if (source_rows_[s] != expected_rows_[s]) return Changed(s, absl::StrCat(source_rows_[s]));
  }
  return absl::OkStatus();
}

absl::Status PrunePasses::Changed(size_t source, absl::string_view now) const {
  return absl::FailedPreconditionError(absl::StrCat("source '", task_.sources[source].name,
                                                    "' changed while it was pruned: it had ",
                                                    expected_rows_[source], " rows and has ", now));
}

int64_t PrunePasses::memory_bytes() const {
  int64_t bytes = 0;
  for (const auto& rule : rules_) bytes += rule->memory_bytes();
  return bytes;
}

}  // namespace frond
