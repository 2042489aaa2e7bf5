// The comparison of an ablation's arms: over all languages, by resource class, by task and by
// language, with differences to the baseline; as a table for the terminal, JSON and CSV.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "configs/ablation_grid.h"
#include "eval/arm_comparison.h"
#include "launch/ablate_results.h"
#include "mixtures/languages.h"

namespace frond {

struct MetricInfo {
  const char* key;    // "exact_match", as in files
  const char* title;  // "exact match, %"
  double scale;       // what people see is so many times what files hold
  int digits;         // of a value
  int difference_digits;
  bool lower_is_better;
};
const MetricInfo& InfoOf(Metric metric);

enum class GroupKind { kAll, kClass, kTask, kLanguage };

struct ReportGroup {
  GroupKind kind = GroupKind::kAll;
  std::string name;                                 // "all", "low", a task_type, a language's code
  ResourceClass resources = ResourceClass::kOther;  // of a class or language
  int64_t rows = 0;                                 // that are evaluated
};

// One arm's curve over its training: means over the seeds that have the step, and their range.
struct ReportCurve {
  struct Point {
    int64_t step = 0;
    double mean = 0, low = 0, high = 0;
  };
  size_t arm = 0;
  std::string name;   // "train/loss", "chrf"
  std::string group;  // "all", a class, or "language/sw"
  std::vector<Point> points;
};

struct AblationReport {
  AblationGrid grid;
  std::vector<CellProgress> progress;  // by run
  Metric metric = Metric::kChrf;       // that charts are about
  BootstrapOptions bootstrap;
  int64_t rows = 0, languages = 0;
  std::vector<ReportGroup> groups;  // all, then classes, tasks, languages
  Comparisons comparisons;          // [arm][group][metric]
  std::vector<ReportCurve> curves;
  std::vector<std::string> notes;  // what a reader must know, e.g. cells that are missing
};

AblationReport MakeAblationReport(const AblationGrid& grid, const AblationResults& results);

// Whether the interval of a difference lies on the good side of 0, on the bad side, or neither: 1,
// -1, 0.
int Verdict(const Comparison& comparison, Metric metric);

// The arms over all languages and by class; lines end with a line feed.
std::string FormatAblationReport(const AblationReport& report);
std::string AblationReportToJson(const AblationReport& report);
// A line for each group, arm and metric. Numbers as in the JSON; empty where there is none.
std::string AblationReportToCsv(const AblationReport& report);

}  // namespace frond
