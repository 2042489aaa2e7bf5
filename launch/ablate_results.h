// What the finished cells of an ablation have left, put together for a comparison.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "configs/ablation_grid.h"
#include "eval/arm_comparison.h"
#include "launch/ablate_cell.h"

namespace frond {

// An evaluated row; all cells have the same.
struct EvaluatedRow {
  std::string language;
  std::string task;
};

// Step -> value, by name: "train/loss"; "loss", "exact_match" and "chrf" of evaluations during the
// training; those with a language's code behind a slash, "chrf/sw".
using RunCurves = std::map<std::string, std::map<int64_t, double>>;

struct AblationResults {
  std::vector<CellProgress> progress;  // by run of the grid
  std::vector<RunCurves> curves;       // likewise; empty where there is no metrics.jsonl
  std::vector<EvaluatedRow> rows;      // sorted by language
  // [arm][seed][row]; no rows for a cell that is not done.
  std::vector<std::vector<std::vector<AnswerScore>>> scores;
};

// Errors where no cell is done, or where cells were judged on different rows (the files behind
// eval.source have changed).
absl::StatusOr<AblationResults> ReadAblationResults(const AblationGrid& grid);

}  // namespace frond
