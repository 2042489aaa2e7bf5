#include "launch/ablate_runner.h"

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "checkpoint/work_folder_lock.h"
#include "core/base/file.h"
#include "core/base/human_numbers.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"
#include "dist/collective_watchdog.h"
#include "launch/ablate_cell.h"
#include "launch/agree.h"
#include "launch/cpu_threads.h"

namespace frond {
namespace {

using Json = nlohmann::json;

// One group of ranks, going through the cells.
class CellTaker {
 public:
  CellTaker(const AblationGrid& grid, const std::vector<size_t>& cells, Communicator& group,
            const CellOptions& options)
      : grid_(grid), cells_(cells), group_(group), options_(options) {}

  // How often each cell had failed before; of the group's first rank.
  absl::Status LookBack() {
    if (group_.rank() != 0) return absl::OkStatus();
    for (const size_t cell : cells_) {
      ASSIGN_OR_RETURN(const CellProgress progress, ReadCellProgress(grid_.runs[cell]));
      attempts_before_.push_back(progress.attempts);
    }
    return absl::OkStatus();
  }

  // Collective over the group.
  absl::Status Run(StopSignal& stop) {
    for (size_t i = 0; i < cells_.size() && !outcome_.stopped; ++i) {
      std::unique_ptr<WorkFolderLock> lock;
      ASSIGN_OR_RETURN(const bool taken, Take(i, stop, lock));
      if (!taken) continue;
      RETURN_IF_ERROR(RunTaken(i, stop));
    }
    return absl::OkStatus();
  }

  const AblationOutcome& outcome() const { return outcome_; }

 private:
  // Locks a cell that is to be run; decided by the first rank for all.
  absl::StatusOr<bool> Take(size_t i, StopSignal& stop, std::unique_ptr<WorkFolderLock>& lock) {
    absl::StatusOr<bool> wanted = false;
    if (group_.rank() == 0) wanted = TryLock(i, lock);
    RETURN_IF_ERROR(AgreeOnStatus(group_, wanted.status()));
    const char own = stop.Requested() ? 's' : *wanted ? 't' : ' ';
    bool taken = false;
    const std::vector<std::string> all = group_.AllGatherBytes(std::string(1, own));
    for (const std::string& word : all) {
      if (word == "s") outcome_.stopped = true;
      if (word == "t") taken = true;
    }
    return taken && !outcome_.stopped;
  }

  absl::StatusOr<bool> TryLock(size_t i, std::unique_ptr<WorkFolderLock>& lock) {
    const AblationRun& run = grid_.runs[cells_[i]];
    const auto is_open = [&]() -> absl::StatusOr<bool> {
      ASSIGN_OR_RETURN(const CellProgress progress, ReadCellProgress(run));
      return progress.state != CellState::kDone && progress.attempts == attempts_before_[i];
    };
    ASSIGN_OR_RETURN(const bool open, is_open());
    if (!open) return false;
    absl::StatusOr<std::unique_ptr<WorkFolderLock>> held = WorkFolderLock::Acquire(run.folder);
    if (absl::IsUnavailable(held.status())) return false;  // another is at it
    RETURN_IF_ERROR(held.status());
    lock = *std::move(held);
    return is_open();  // another may have finished it in between
  }

  absl::Status RunTaken(size_t i, StopSignal& stop) {
    const AblationRun& run = grid_.runs[cells_[i]];
    const bool speaks = group_.rank() == 0;
    if (speaks) {
      absl::FPrintF(stderr, "== cell %s (%d of %d)\n", run.name, i + 1, cells_.size());
    }
    // One rank may prepare data for long before the first step.
    group_.watchdog().SetTimeout(0);
    const absl::Status status = RunCell(run, options_, group_, stop);
    group_.watchdog().SetTimeout(0);
    group_.watchdog().SetStep(-1);
    if (absl::IsCancelled(status)) {
      outcome_.stopped = true;
      return absl::OkStatus();
    }
    if (status.ok()) {
      ++outcome_.ran;
      if (speaks) absl::FPrintF(stderr, "== cell %s is done\n", run.name);
      return absl::OkStatus();
    }
    if (speaks) absl::FPrintF(stderr, "== cell %s has failed: %s\n", run.name, status.message());
    outcome_.failed.push_back(absl::StrCat(run.name, ": ", std::string(status.message())));
    if (outcome_.first_error.ok()) outcome_.first_error = status;
    return AgreeOnStatus(group_, speaks ? WriteFailure(run, status) : absl::OkStatus());
  }

  const AblationGrid& grid_;
  const std::vector<size_t>& cells_;
  Communicator& group_;
  CellOptions options_;
  std::vector<int64_t> attempts_before_;
  AblationOutcome outcome_;
};

std::string Encode(const AblationOutcome& outcome) {
  const Json json = {{"ran", outcome.ran},
                     {"failed", outcome.failed},
                     {"code", static_cast<int>(outcome.first_error.code())},
                     {"error", std::string(outcome.first_error.message())},
                     {"stopped", outcome.stopped}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void Add(const std::string& encoded, AblationOutcome& sum) {
  const Json json = Json::parse(encoded);
  sum.ran += json["ran"].get<int64_t>();
  for (const Json& line : json["failed"]) sum.failed.push_back(line.get<std::string>());
  sum.stopped = sum.stopped || json["stopped"].get<bool>();
  const auto code = static_cast<absl::StatusCode>(json["code"].get<int>());
  if (sum.first_error.ok()) sum.first_error = absl::Status(code, json["error"].get<std::string>());
}

}  // namespace

absl::StatusOr<AblationOutcome> RunCells(const AblationGrid& grid, const std::vector<size_t>& cells,
                                         Communicator& world) {
  const int ranks = grid.config.ranks_per_cell();
  const int group_size = world.size() == 1 ? 1 : ranks;
  if (world.size() % group_size != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "ranks_per_cell is ", ranks, ", which does not divide the job's ", world.size(), " ranks"));
  }
  StopSignal stop;
  const int groups = world.size() / group_size;
  const auto group = world.Split(world.rank() / group_size, world.rank());
  // The groups share the processors of a host, whether they look at each other or not.
  const CellOptions options = {.threads = ThreadsPerRank(/*configured=*/0, world),
                               .terminal = groups == 1,
                               .keep_checkpoints = grid.config.keep_checkpoints()};
  CellTaker taker(grid, cells, *group, options);
  RETURN_IF_ERROR(AgreeOnStatus(world, taker.LookBack()));
  const absl::Status status = taker.Run(stop);
  RETURN_IF_ERROR(AgreeOnStatus(world, status));
  AblationOutcome sum;
  const std::vector<std::string> outcomes =
      world.AllGatherBytes(group->rank() == 0 ? Encode(taker.outcome()) : "");
  for (const std::string& encoded : outcomes) {
    if (!encoded.empty()) Add(encoded, sum);
  }
  return sum;
}

}  // namespace frond
