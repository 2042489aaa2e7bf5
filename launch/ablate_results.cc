#include "launch/ablate_results.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"

namespace frond {
namespace {

using Json = nlohmann::json;

void AddPoint(const Json& object, const char* name, const std::string& curve, int64_t step,
              RunCurves& curves) {
  const auto found = object.find(name);
  if (found != object.end() && found->is_number()) curves[curve][step] = found->get<double>();
}

void AddEvaluation(const Json& eval, int64_t step, RunCurves& curves) {
  if (!eval.is_object()) return;
  for (const char* metric : {"loss", "exact_match", "chrf"}) {
    AddPoint(eval, metric, metric, step, curves);
    const auto languages = eval.find("languages");
    if (languages == eval.end() || !languages->is_object()) continue;
    for (const auto& [language, scores] : languages->items()) {
      if (scores.is_object()) {
        AddPoint(scores, metric, absl::StrCat(metric, "/", language), step, curves);
      }
    }
  }
}

absl::StatusOr<RunCurves> ReadCurves(const AblationRun& run) {
  RunCurves curves;
  const std::string path = JoinPath(run.train.work_dir(), "metrics.jsonl");
  if (!PathExists(path)) return curves;
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const Json json = Json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
    // A line that a crash has torn is cut off when the run goes on.
    if (!json.is_object() || !json.contains("step") || !json["step"].is_number_integer()) continue;
    const int64_t step = json["step"].get<int64_t>();
    AddPoint(json, "loss", "train/loss", step, curves);
    const auto eval = json.find("eval");
    if (eval != json.end()) AddEvaluation(*eval, step, curves);
  }
  return curves;
}

// The rows of the first finished cell, and where they stand when sorted by language.
struct RowOrder {
  std::string cell;
  std::vector<std::string> hashes;  // in the order of the files
  std::vector<size_t> order;
};

RowOrder SortRows(const std::string& cell, const std::vector<CellExample>& examples,
                  std::vector<EvaluatedRow>& sorted) {
  RowOrder rows = {.cell = cell, .hashes = {}, .order = std::vector<size_t>(examples.size())};
  for (const CellExample& example : examples) rows.hashes.push_back(example.row);
  std::iota(rows.order.begin(), rows.order.end(), size_t{0});
  std::stable_sort(rows.order.begin(), rows.order.end(),
                   [&](size_t a, size_t b) { return examples[a].language < examples[b].language; });
  for (const size_t i : rows.order) sorted.push_back({examples[i].language, examples[i].task});
  return rows;
}

absl::Status CheckSameRows(const RowOrder& rows, const AblationRun& run,
                           const std::vector<CellExample>& examples) {
  const auto is_row = [](const std::string& hash, const CellExample& example) {
    return hash == example.row;
  };
  if (std::equal(rows.hashes.begin(), rows.hashes.end(), examples.begin(), examples.end(),
                 is_row)) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("cells ", rows.cell, " and ", run.name,
                   " were judged on different rows: the files of the evaluation have changed in "
                   "between; remove ",
                   "result.json of all cells to judge them again"));
}

}  // namespace

absl::StatusOr<AblationResults> ReadAblationResults(const AblationGrid& grid) {
  AblationResults results;
  results.scores.resize(grid.arms.size());
  for (auto& arm : results.scores) arm.resize(grid.seeds.size());
  RowOrder rows;
  for (const AblationRun& run : grid.runs) {
    ASSIGN_OR_RETURN(CellProgress progress, ReadCellProgress(run));
    const bool done = progress.state == CellState::kDone;
    results.progress.push_back(std::move(progress));
    ASSIGN_OR_RETURN(RunCurves curves, ReadCurves(run));
    results.curves.push_back(std::move(curves));
    if (!done) continue;
    ASSIGN_OR_RETURN(const std::vector<CellExample> examples, ReadCellExamples(run));
    if (rows.cell.empty()) rows = SortRows(run.name, examples, results.rows);
    RETURN_IF_ERROR(CheckSameRows(rows, run, examples));
    const auto seed = static_cast<size_t>(
        std::find(grid.seeds.begin(), grid.seeds.end(), run.seed) - grid.seeds.begin());
    for (const size_t i : rows.order) {
      results.scores[run.arm][seed].push_back(examples[i].score);
    }
  }
  if (results.rows.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("no cell in ", grid.out_dir, " is done, so there is nothing to report"));
  }
  return results;
}

}  // namespace frond
