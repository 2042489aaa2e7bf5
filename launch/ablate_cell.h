// One cell of an ablation: its folder, what is done of it, and running it.
//
//   CELL/cell.textproto    what it is run with
//   CELL/run/              the work folder of its training
//   CELL/examples.jsonl    a line for each evaluated row
//   CELL/result.json       written last: the cell is done
//   CELL/failed.json       the last attempt has failed
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "configs/ablation_grid.h"
#include "dist/communicator.h"
#include "eval/arm_comparison.h"
#include "launch/stop_signal.h"

namespace frond {

enum class CellState { kToDo, kBegun, kDone, kFailed };
std::string CellStateName(CellState state);  // "to do", "begun", "done", "failed"

struct CellProgress {
  CellState state = CellState::kToDo;
  // Of a failed cell.
  std::string error = {};
  int64_t attempts = 0;
  // Of a finished one; negative: not known.
  int64_t steps = -1;
  double seconds = -1;  // of the start that finished it
};

// What the folder says. A file that cannot be read is an error.
absl::StatusOr<CellProgress> ReadCellProgress(const AblationRun& run);

// FailedPrecondition, naming the field, where the folder holds a cell that was run with another
// config.
absl::Status CheckCellFolder(const AblationRun& run);

struct CellOptions {
  int threads = 1;       // a rank's, where the config leaves it open
  bool terminal = true;  // show the training's table and progress
  bool keep_checkpoints = true;
};

// Trains, or goes on, and evaluates; writes the cell's files. Cancelled where `stop` asks: what is
// done is saved. Any other error is the cell's own. The caller holds the folder's lock. Collective
// over `group`, which agrees on errors.
absl::Status RunCell(const AblationRun& run, const CellOptions& options, Communicator& group,
                     StopSignal& stop);

// Rank 0's: notes the failure in the folder.
absl::Status WriteFailure(const AblationRun& run, const absl::Status& error);

// A row of a finished cell's evaluation.
struct CellExample {
  std::string row;  // a hash of what was asked and expected
  std::string language;
  std::string task;  // empty: the row names none
  AnswerScore score;
};

// In the order of their numbers, which is the same in all cells.
absl::StatusOr<std::vector<CellExample>> ReadCellExamples(const AblationRun& run);

}  // namespace frond
