#include "mixtures/pruning/pruner.h"

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/nearest_name.h"
#include "core/base/status_macros.h"
#include "data/line_writer.h"
#include "mixtures/pruning/ledger.h"
#include "mixtures/pruning/row_rounds.h"
#include "mixtures/pruning/rule.h"
#include "nlohmann/json.hpp"

namespace frond {
namespace {

std::string BaseName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string DroppedLine(const LookedRow& row, absl::string_view source, const std::string& rule) {
  const nlohmann::ordered_json head = {{"rule", rule},
                                       {"reason", row.reason},
                                       {"source", source},
                                       {"file", BaseName(*row.path)},
                                       {"line", row.line_number}};
  std::string text = head.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  text.pop_back();
  return absl::StrCat(text, ",\"row\":", row.line, "}");
}

absl::Status UnknownLimit(const RuleOptions& rule, absl::string_view what,
                          const std::string& wanted, const std::vector<std::string>& known) {
  return absl::InvalidArgumentError(
      absl::StrCat("rule '", rule.name, "' is limited to ", what, " '", wanted,
                   "', which no source has; did you mean '", NearestName(wanted, known), "'?"));
}

class Pruner {
 public:
  explicit Pruner(const PruneOptions& options)
      : options_(options),
        ledger_(options.rules, options.list_hashes),
        partial_(options.out_dir + ".partial"),
        dropped_partial_(options.dropped_path + ".partial") {}

  // Removes what an error left half-written.
  ~Pruner() {
    if (!began_) return;
    writers_.clear();
    dropped_writer_.reset();
    RemoveRecursively(partial_).IgnoreError();
    if (!options_.dropped_path.empty()) RemoveRecursively(dropped_partial_).IgnoreError();
  }

  absl::StatusOr<PruneReport> Run() {
    RETURN_IF_ERROR(CheckPlaces());
    RETURN_IF_ERROR(OpenOutputs());
    RETURN_IF_ERROR(MakeRules());
    RETURN_IF_ERROR(ReadEvaluation());
    RETURN_IF_ERROR(RunPasses());
    return Commit();
  }

 private:
  absl::Status MakeRules();
  absl::Status CheckPlaces() const;
  absl::Status ReadEvaluation();
  absl::Status OpenOutputs();
  absl::Status RunPasses();
  absl::Status RunPass(size_t first, size_t end, bool study);
  absl::Status Take(LookedRow& row);
  // The rule that drops the row, or -1; sets the row's reason.
  absl::StatusOr<int> Judge(const RowPlace& place, LookedRow& row);
  absl::Status CheckLimits() const;
  absl::Status CheckRowCounts() const;
  absl::StatusOr<PruneReport> Commit();

  const PruneOptions& options_;
  std::vector<std::unique_ptr<Rule>> rules_;
  std::vector<LimitedRule> limited_;
  Ledger ledger_;
  Ledger::Facts facts_;
  std::string partial_;
  std::string dropped_partial_;
  bool began_ = false;
  std::vector<std::unique_ptr<LineWriter>> writers_;  // of each source
  std::unique_ptr<LineWriter> dropped_writer_;
  std::vector<bool> dropped_;  // by ordinal; empty where there is only one pass

  // Of the pass that runs.
  bool is_first_pass_ = true;
  bool is_last_pass_ = false;
  size_t first_rule_ = 0;
  size_t end_rule_ = 0;
  int studying_ = -1;  // the rule that studies
  int64_t ordinal_ = 0;
  std::vector<int64_t> source_rows_;
};

absl::Status Pruner::MakeRules() {
  if (options_.rules.size() > kMaxPruneRules) {
    return absl::InvalidArgumentError(absl::StrCat("there are ", options_.rules.size(),
                                                   " rules; at most ", kMaxPruneRules, " work"));
  }
  RuleContext context{.seed = options_.seed, .scratch_dir = partial_};
  for (const PruneSource& source : options_.sources) context.source_names.push_back(source.name);
  for (const PruneSource& source : options_.evaluation) {
    context.evaluation_names.push_back(source.name);
  }
  for (const RuleOptions& options : options_.rules) {
    ASSIGN_OR_RETURN(std::unique_ptr<Rule> rule, MakeRule(options, context));
    rules_.push_back(std::move(rule));
    limited_.push_back({&options, rules_.back().get()});
  }
  facts_.seed = options_.seed;
  return absl::OkStatus();
}

absl::Status Pruner::CheckPlaces() const {
  if (PathExists(options_.out_dir)) {
    if (!IsDirectory(options_.out_dir)) {
      return absl::AlreadyExistsError(
          absl::StrCat("'", options_.out_dir, "' is a file; expected a new or empty folder"));
    }
    ASSIGN_OR_RETURN(const auto names, ListDirectory(options_.out_dir));
    if (!names.empty()) {
      return absl::AlreadyExistsError(absl::StrCat("'", options_.out_dir, "' is not empty (",
                                                   names.front(),
                                                   "); expected a new or empty folder"));
    }
  }
  if (absl::StartsWith(options_.dropped_path, options_.out_dir + "/")) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", options_.dropped_path, "' lies in '", options_.out_dir,
                     "', which is written as a whole; put the dropped rows elsewhere"));
  }
  return absl::OkStatus();
}

absl::Status Pruner::ReadEvaluation() {
  std::vector<LimitedRule> readers;
  for (const LimitedRule& rule : limited_) {
    if (rule.rule->reads_evaluation()) readers.push_back(rule);
  }
  for (const PruneSource& set : options_.evaluation) {
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
  return ForEachRow({.sources = options_.evaluation,
                     .rules = readers,
                     .apply_limits = false,
                     .threads = options_.threads},
                    take);
}

absl::Status Pruner::OpenOutputs() {
  began_ = true;
  RETURN_IF_ERROR(RemoveRecursively(partial_));  // of a run that was killed
  RETURN_IF_ERROR(CreateDirectories(partial_));
  for (const PruneSource& source : options_.sources) {
    const std::string name = absl::StrCat(source.name, options_.zstd ? ".jsonl.zst" : ".jsonl");
    ASSIGN_OR_RETURN(auto writer, LineWriter::Create(JoinPath(partial_, name)));
    writers_.push_back(std::move(writer));
    facts_.sources.push_back({.name = source.name, .output = name});
  }
  if (!options_.dropped_path.empty()) {
    const bool packed = absl::EndsWith(options_.dropped_path, ".zst");
    if (packed) dropped_partial_ += ".zst";
    ASSIGN_OR_RETURN(dropped_writer_, LineWriter::Create(dropped_partial_));
  }
  return absl::OkStatus();
}

absl::Status Pruner::RunPasses() {
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
      return absl::Status(status.code(), absl::StrCat("rule '", options_.rules[end].name,
                                                      "': ", std::string(status.message())));
    }
    first = end;
    is_first_pass_ = false;
  }
}

absl::Status Pruner::RunPass(size_t first, size_t end, bool study) {
  first_rule_ = first;
  end_rule_ = end;
  studying_ = study ? static_cast<int>(end) - 1 : -1;
  is_last_pass_ = !study;
  ordinal_ = 0;
  source_rows_.assign(options_.sources.size(), 0);
  RETURN_IF_ERROR(ForEachRow({.sources = options_.sources,
                              .rules = std::span(limited_).subspan(first, end - first),
                              .first_rule = static_cast<int>(first),
                              .studying = studying_,
                              .threads = options_.threads,
                              .skip = is_first_pass_ ? nullptr : &dropped_},
                             [this](LookedRow& row) { return Take(row); }));
  if (!is_first_pass_) return CheckRowCounts();
  for (size_t s = 0; s < source_rows_.size(); ++s) {
    if (source_rows_[s] > 0) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("source '", options_.sources[s].name, "' has no rows: '",
                     options_.sources[s].files.front(), "' is empty"));
  }
  return CheckLimits();
}

absl::StatusOr<int> Pruner::Judge(const RowPlace& place, LookedRow& row) {
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

absl::Status Pruner::Take(LookedRow& row) {
  const size_t source = static_cast<size_t>(row.source);
  const int64_t ordinal = ordinal_++;
  ++source_rows_[source];
  if (row.skipped) return absl::OkStatus();
  const std::string& name = options_.sources[source].name;
  const int leaf = ledger_.LeafOf(row.source, name, row.example);
  if (is_first_pass_) {
    ledger_.AddRow(leaf);
    if (!is_last_pass_) dropped_.push_back(false);
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
    return writers_[source]->Append(row.line);
  }
  ledger_.AddDropped(leaf, dropped_by, Hash64(row.line));
  if (!dropped_.empty()) dropped_[static_cast<size_t>(ordinal)] = true;
  if (dropped_writer_ == nullptr) return absl::OkStatus();
  return dropped_writer_->Append(
      DroppedLine(row, name, options_.rules[static_cast<size_t>(dropped_by)].name));
}

absl::Status Pruner::CheckLimits() const {
  const std::vector<std::string> languages = ledger_.Languages();
  const std::vector<std::string> datasets = ledger_.Datasets();
  const auto knows = [](const std::vector<std::string>& sorted, const std::string& name) {
    return std::binary_search(sorted.begin(), sorted.end(), name);
  };
  for (const RuleOptions& rule : options_.rules) {
    for (const std::string& language : rule.languages) {
      if (!knows(languages, language)) return UnknownLimit(rule, "language", language, languages);
    }
    for (const std::string& dataset : rule.datasets) {
      if (!knows(datasets, dataset)) return UnknownLimit(rule, "dataset", dataset, datasets);
    }
  }
  return absl::OkStatus();
}

absl::Status Pruner::CheckRowCounts() const {
  for (size_t s = 0; s < source_rows_.size(); ++s) {
    if (source_rows_[s] == facts_.sources[s].rows) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("source '", options_.sources[s].name, "' changed while it was pruned: it had ",
                     facts_.sources[s].rows, " rows and has ", source_rows_[s]));
  }
  return absl::OkStatus();
}

absl::StatusOr<PruneReport> Pruner::Commit() {
  PruneReport report;
  for (size_t s = 0; s < writers_.size(); ++s) {
    RETURN_IF_ERROR(writers_[s]->Close());
    facts_.sources[s].output_hash = writers_[s]->checksum();
    report.rows += facts_.sources[s].rows;
    report.kept += facts_.sources[s].kept;
  }
  report.ledger_hash = ledger_.HashOf(facts_);
  report.table = ledger_.ToTable(facts_);
  for (const auto& rule : rules_) report.memory_bytes += rule->memory_bytes();
  RETURN_IF_ERROR(WriteFileAtomically(JoinPath(partial_, "ledger.json"), ledger_.ToJson(facts_)));
  RETURN_IF_ERROR(SyncDirectory(partial_));
  if (dropped_writer_ != nullptr) {
    RETURN_IF_ERROR(dropped_writer_->Close());
    RETURN_IF_ERROR(RenamePath(dropped_partial_, options_.dropped_path));
  }
  RETURN_IF_ERROR(RenamePath(partial_, options_.out_dir));
  return report;
}

}  // namespace

absl::StatusOr<PruneReport> Prune(const PruneOptions& options) {
  Pruner pruner(options);
  return pruner.Run();
}

}  // namespace frond
