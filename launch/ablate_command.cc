// frond ablate: a grid of mixtures, other variants and seeds, and one report that compares them.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "configs/ablation_grid.h"
#include "configs/config_reader.h"
#include "core/base/file.h"
#include "core/base/human_numbers.h"
#include "core/base/nearest_name.h"
#include "core/base/status_macros.h"
#include "core/base/text_table.h"
#include "data/build_lock.h"
#include "launch/ablate_cell.h"
#include "launch/ablate_page.h"
#include "launch/ablate_report.h"
#include "launch/ablate_results.h"
#include "launch/ablate_runner.h"
#include "launch/agree.h"
#include "launch/command.h"
#include "launch/same_start.h"

namespace frond {
namespace {

// K/N: every N-th cell from the K-th on, counted from 1.
absl::Status KeepJob(const Flags& flags, std::vector<size_t>& cells) {
  if (!flags.Has("jobs")) return absl::OkStatus();
  const std::vector<std::string> parts = absl::StrSplit(flags.Get("jobs"), '/');
  uint32_t job = 0, jobs = 0;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &job) ||
      !absl::SimpleAtoi(parts[1], &jobs) || job < 1 || job > jobs) {
    return absl::InvalidArgumentError(
        absl::StrCat("--jobs takes K/N, such as 2/4, not '", flags.Get("jobs"), "'"));
  }
  std::erase_if(cells, [&](size_t cell) { return cell % jobs != job - 1; });
  return absl::OkStatus();
}

// Numbers of grid.runs that the flags ask for.
absl::StatusOr<std::vector<size_t>> WantedCells(const Flags& flags, const AblationGrid& grid) {
  std::vector<size_t> cells;
  std::vector<std::string> names;
  for (size_t i = 0; i < grid.runs.size(); ++i) {
    cells.push_back(i);
    names.push_back(grid.runs[i].name);
  }
  const std::vector<std::string> wanted = flags.GetAll("cell");
  for (const std::string& name : wanted) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    return absl::InvalidArgumentError(absl::StrCat("--cell ", name, ": no such cell; did you mean ",
                                                   NearestName(name, names), "?"));
  }
  if (!wanted.empty()) {
    std::erase_if(cells, [&](size_t cell) {
      return std::find(wanted.begin(), wanted.end(), names[cell]) == wanted.end();
    });
  }
  if (flags.Has("cell-index")) {
    ASSIGN_OR_RETURN(const int64_t index,
                     flags.GetInteger("cell-index", 0, 0, static_cast<int64_t>(names.size()) - 1));
    std::erase_if(cells, [&](size_t cell) { return cell != static_cast<size_t>(index); });
  }
  RETURN_IF_ERROR(KeepJob(flags, cells));
  return cells;
}

absl::StatusOr<std::vector<CellProgress>> ReadProgress(const AblationGrid& grid) {
  std::vector<CellProgress> all;
  for (const AblationRun& run : grid.runs) {
    RETURN_IF_ERROR(CheckCellFolder(run));
    ASSIGN_OR_RETURN(CellProgress progress, ReadCellProgress(run));
    all.push_back(std::move(progress));
  }
  return all;
}

void PrintGrid(const AblationGrid& grid, const std::vector<size_t>& cells,
               const std::vector<CellProgress>& progress) {
  for (const AblationArm& arm : grid.arms) {
    std::printf("%s%s\n", arm.name.c_str(),
                &arm == &grid.arms[grid.baseline] ? "  (baseline)" : "");
    for (const std::string& change : arm.changes) std::printf("    %s\n", change.c_str());
  }
  TextTable table({{.title = "index"},
                   {.title = "cell", .align = TextTable::Align::kLeft},
                   {.title = "steps"},
                   {.title = "state", .align = TextTable::Align::kLeft}});
  for (const size_t cell : cells) {
    const AblationRun& run = grid.runs[cell];
    table.AddRow({absl::StrCat(cell), run.name, WithThousands(run.train.steps()),
                  CellStateName(progress[cell].state)});
  }
  std::printf("\n%s", table.ToString().c_str());
}

// Writes the report of the cells that are done. Of two processes the later one writes it again: it
// may have seen more of them.
absl::Status WriteReport(const AblationGrid& grid) {
  RETURN_IF_ERROR(CreateDirectories(grid.out_dir));
  ASSIGN_OR_RETURN(const auto lock,
                   BuildLock::Wait(JoinPath(grid.out_dir, ".lock"),
                                   absl::StrCat("writes '", grid.out_dir, "/report.html'")));
  ASSIGN_OR_RETURN(const AblationResults results, ReadAblationResults(grid));
  const AblationReport report = MakeAblationReport(grid, results);
  RETURN_IF_ERROR(
      WriteFileAtomically(JoinPath(grid.out_dir, "report.json"), AblationReportToJson(report)));
  RETURN_IF_ERROR(
      WriteFileAtomically(JoinPath(grid.out_dir, "report.csv"), AblationReportToCsv(report)));
  const std::string page = JoinPath(grid.out_dir, "report.html");
  RETURN_IF_ERROR(WriteFileAtomically(page, AblationReportToHtml(report)));
  std::printf("%s\nreport in %s, .json, .csv\n", FormatAblationReport(report).c_str(),
              page.c_str());
  return absl::OkStatus();
}

// The report where every cell of the grid is done or has failed, else how far it is.
absl::Status ReportIfWhole(const AblationGrid& grid, const AblationOutcome& outcome) {
  ASSIGN_OR_RETURN(const std::vector<CellProgress> progress, ReadProgress(grid));
  size_t done = 0, open = 0;
  for (const CellProgress& cell : progress) {
    done += cell.state == CellState::kDone ? 1 : 0;
    open += cell.state == CellState::kToDo || cell.state == CellState::kBegun ? 1 : 0;
  }
  std::printf("%s%d of %d cells are done, %d of them now\n",
              outcome.stopped ? "stopped on a signal: " : "", static_cast<int>(done),
              static_cast<int>(progress.size()), static_cast<int>(outcome.ran));
  if (open > 0) {
    std::printf("the report comes with the last cell, or with --report-only\n");
    return absl::OkStatus();
  }
  return done > 0 ? WriteReport(grid) : absl::OkStatus();
}

absl::Status FailedCells(const AblationOutcome& outcome) {
  if (outcome.failed.empty()) return absl::OkStatus();
  return absl::Status(
      outcome.first_error.code(),
      absl::StrCat(outcome.failed.size(), outcome.failed.size() == 1 ? " cell" : " cells",
                   " failed: ", absl::StrJoin(outcome.failed, "; ")));
}

std::string TextOf(const AblationGrid& grid) {
  return absl::StrCat(grid.config.DebugString(), ConfigToText(grid.runs[0].train));
}

absl::Status Run(const CommandInput& input) {
  const Flags& flags = input.flags;
  Communicator& world = input.world;
  const bool speaks = world.rank() == 0;
  absl::StatusOr<AblationGrid> grid = ReadAblation(flags.Get("config"));
  RETURN_IF_ERROR(AgreeOnStatus(world, grid.status()));
  RETURN_IF_ERROR(CheckSameStart(world, TextOf(*grid), ProgramHash()));
  ASSIGN_OR_RETURN(const std::vector<size_t> cells, WantedCells(flags, *grid));
  absl::StatusOr<std::vector<CellProgress>> progress = std::vector<CellProgress>{};
  if (speaks) progress = ReadProgress(*grid);
  RETURN_IF_ERROR(AgreeOnStatus(world, progress.status()));
  if (flags.Has("dry-run")) {
    if (speaks) PrintGrid(*grid, cells, *progress);
    return absl::OkStatus();
  }
  if (flags.Has("report-only")) {
    return AgreeOnStatus(world, speaks ? WriteReport(*grid) : absl::OkStatus());
  }
  ASSIGN_OR_RETURN(const AblationOutcome outcome, RunCells(*grid, cells, world));
  RETURN_IF_ERROR(AgreeOnStatus(world, speaks ? ReportIfWhole(*grid, outcome) : absl::OkStatus()));
  return FailedCells(outcome);
}

}  // namespace

Command AblateCommand() {
  return {
      .name = "ablate",
      .summary = "runs a grid of mixtures, other variants and seeds, and compares them",
      .flags = {{.name = "config",
                 .value_hint = "FILE",
                 .help = "the grid; fields: configs/ablation.proto",
                 .required = true},
                {.name = "dry-run", .help = "list the cells and what is done of them"},
                {.name = "cell", .value_hint = "NAME", .help = "only this cell", .repeated = true},
                {.name = "cell-index",
                 .value_hint = "N",
                 .help = "only this cell, from 0; for job arrays"},
                {.name = "jobs",
                 .value_hint = "K/N",
                 .help = "only every N-th cell from the K-th on; K from 1"},
                {.name = "report-only", .help = "report what is done so far, run nothing"}},
      .example = "frond ablate --config grid.textproto",
      .run = Run,
      .parallel = true};
}

}  // namespace frond
