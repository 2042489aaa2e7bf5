#include "mixtures/pruning/pruner.h"

#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"
#include "data/line_writer.h"
#include "mixtures/pruning/json_items.h"
#include "mixtures/pruning/prune_passes.h"

namespace frond {
namespace {

std::string OutputName(const PruneSource& source, bool zstd) {
  return absl::StrCat(source.name, zstd ? ".jsonl.zst" : ".jsonl");
}

std::string DroppedLine(const LookedRow& row, absl::string_view source, const std::string& rule) {
  const nlohmann::ordered_json head = {{"rule", rule},
                                       {"reason", row.reason},
                                       {"source", source},
                                       {"file", BaseName(*row.path)},
                                       {"line", row.line_number}};
  std::string text = JsonLine(head);
  text.pop_back();
  return absl::StrCat(text, ",\"row\":", row.line, "}");
}

// Writes what is kept, and on request what is not, beside the place where it is to be.
class Pruner : public PruneSink {
 public:
  explicit Pruner(const PruneOptions& options)
      : options_(options),
        partial_(options.out_dir + ".partial"),
        dropped_partial_(options.dropped_path + ".partial") {}

  // Removes what an error left half-written.
  ~Pruner() override {
    if (!began_) return;
    writers_.clear();
    dropped_writer_.reset();
    RemoveRecursively(partial_).IgnoreError();
    if (!options_.dropped_path.empty()) RemoveRecursively(dropped_partial_).IgnoreError();
  }

  absl::StatusOr<PruneReport> Run() {
    RETURN_IF_ERROR(CheckPlaces());
    RETURN_IF_ERROR(OpenOutputs());
    const PruneTask task = {.sources = options_.sources,
                            .evaluation = options_.evaluation,
                            .rules = options_.rules,
                            .seed = options_.seed,
                            .threads = options_.threads,
                            .list_hashes = options_.list_hashes,
                            .scratch_dir = partial_};
    PrunePasses passes(task, *this);
    RETURN_IF_ERROR(passes.Run());
    return Commit(passes);
  }

  absl::Status Keep(const RowPlace& place, const LookedRow& row) override {
    return writers_[static_cast<size_t>(place.source)]->Append(row.line);
  }

  absl::Status Drop(const RowPlace& place, const LookedRow& row, int rule) override {
    if (dropped_writer_ == nullptr) return absl::OkStatus();
    return dropped_writer_->Append(
        DroppedLine(row, place.source_name, options_.rules[static_cast<size_t>(rule)].name));
  }

 private:
  absl::Status CheckPlaces() const;
  absl::Status OpenOutputs();
  absl::StatusOr<PruneReport> Commit(PrunePasses& passes);

  const PruneOptions& options_;
  std::string partial_;
  std::string dropped_partial_;
  bool began_ = false;
  std::vector<std::unique_ptr<LineWriter>> writers_;  // of each source
  std::unique_ptr<LineWriter> dropped_writer_;
};

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

absl::Status Pruner::OpenOutputs() {
  began_ = true;
  RETURN_IF_ERROR(RemoveRecursively(partial_));  // of a run that was killed
  RETURN_IF_ERROR(CreateDirectories(partial_));
  for (const PruneSource& source : options_.sources) {
    ASSIGN_OR_RETURN(auto writer,
                     LineWriter::Create(JoinPath(partial_, OutputName(source, options_.zstd))));
    writers_.push_back(std::move(writer));
  }
  if (!options_.dropped_path.empty()) {
    const bool packed = absl::EndsWith(options_.dropped_path, ".zst");
    if (packed) dropped_partial_ += ".zst";
    ASSIGN_OR_RETURN(dropped_writer_, LineWriter::Create(dropped_partial_));
  }
  return absl::OkStatus();
}

absl::StatusOr<PruneReport> Pruner::Commit(PrunePasses& passes) {
  Ledger::Facts& facts = passes.facts();
  PruneReport report;
  for (size_t s = 0; s < writers_.size(); ++s) {
    RETURN_IF_ERROR(writers_[s]->Close());
    facts.sources[s].output = OutputName(options_.sources[s], options_.zstd);
    facts.sources[s].output_hash = writers_[s]->checksum();
    report.rows += facts.sources[s].rows;
    report.kept += facts.sources[s].kept;
  }
  report.ledger_hash = passes.ledger().HashOf(facts);
  report.table = passes.ledger().ToTable(facts);
  report.memory_bytes = passes.memory_bytes();
  RETURN_IF_ERROR(
      WriteFileAtomically(JoinPath(partial_, "ledger.json"), passes.ledger().ToJson(facts)));
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
