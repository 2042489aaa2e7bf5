#include "mixtures/pruning/pruner.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
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

std::string WithoutLastSlashes(absl::string_view path) {
  while (path.size() > 1 && absl::ConsumeSuffix(&path, "/")) continue;
  return std::string(path);
}

// Whether the path is that of the folder or of something in it; neither need exist.
bool LiesIn(const std::string& path, const std::string& folder) {
  const auto resolved = [](const std::string& name) {
    std::error_code code;
    return std::filesystem::weakly_canonical(std::filesystem::absolute(name, code), code);
  };
  const std::filesystem::path inner = resolved(path), outer = resolved(folder);
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

// Writes what is kept, and on request what is not, beside the place where it is to be.
class Pruner : public PruneSink {
 public:
  explicit Pruner(const PruneOptions& options)
      : options_(options),
        out_dir_(WithoutLastSlashes(options.out_dir)),
        partial_(out_dir_ + ".partial"),
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
  absl::Status Publish();

  const PruneOptions& options_;
  std::string out_dir_;
  std::string partial_;
  std::string dropped_partial_;
  bool began_ = false;
  std::vector<std::unique_ptr<LineWriter>> writers_;  // of each source
  std::unique_ptr<LineWriter> dropped_writer_;
};

absl::Status Pruner::CheckPlaces() const {
  const auto taken = [this](absl::string_view what) {
    return absl::AlreadyExistsError(
        absl::StrCat("'", out_dir_, "' is ", what, "; expected a new or empty folder"));
  };
  const std::string name = BaseName(out_dir_);
  if (name.empty() || name == "." || name == "..") return taken("no name of a folder");
  // Nothing can be renamed to it, wherever it leads.
  std::error_code code;
  if (std::filesystem::is_symlink(out_dir_, code)) return taken("a symbolic link");
  if (PathExists(out_dir_)) {
    if (!IsDirectory(out_dir_)) return taken("a file");
    ASSIGN_OR_RETURN(const auto names, ListDirectory(out_dir_));
    if (!names.empty()) return taken(absl::StrCat("not empty (", names.front(), ")"));
  }
  if (options_.dropped_path.empty()) return absl::OkStatus();
  for (const std::string& folder : {out_dir_, partial_}) {
    if (!LiesIn(options_.dropped_path, folder)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("'", options_.dropped_path, "' lies in '", folder,
                     "', which is written as a whole; put the dropped rows elsewhere"));
  }
  if (IsDirectory(options_.dropped_path)) {
    return absl::AlreadyExistsError(absl::StrCat(
        "'", options_.dropped_path, "' is a folder; expected a file for the dropped rows"));
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
  if (dropped_writer_ != nullptr) RETURN_IF_ERROR(dropped_writer_->Close());
  RETURN_IF_ERROR(Publish());
  return report;
}

// Gives both outputs their names, or neither.
absl::Status Pruner::Publish() {
  RETURN_IF_ERROR(RenamePath(partial_, out_dir_));
  if (dropped_writer_ != nullptr) {
    const absl::Status renamed = RenamePath(dropped_partial_, options_.dropped_path);
    if (!renamed.ok()) {
      RenamePath(out_dir_, partial_).IgnoreError();  // to be removed
      return renamed;
    }
    RETURN_IF_ERROR(SyncParentDirectory(options_.dropped_path));
  }
  return SyncParentDirectory(out_dir_);
}

}  // namespace

absl::StatusOr<PruneReport> Prune(const PruneOptions& options) {
  Pruner pruner(options);
  return pruner.Run();
}

}  // namespace frond
