#include "launch/ablate_report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/text_table.h"

namespace frond {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array kClasses = {ResourceClass::kHigh, ResourceClass::kMid, ResourceClass::kLow,
                                 ResourceClass::kOther};
constexpr std::array kMetrics = {Metric::kLoss, Metric::kExactMatch, Metric::kChrf};

const char* KindName(GroupKind kind) {
  switch (kind) {
    case GroupKind::kAll:
      return "all";
    case GroupKind::kClass:
      return "class";
    case GroupKind::kTask:
      return "task";
    case GroupKind::kLanguage:
      return "language";
  }
  return "";
}

// Cells of the comparison are pairs of language and task.
struct CellTable {
  std::map<std::pair<std::string, std::string>, int32_t> cells;
  std::map<std::string, std::vector<int32_t>> of_language, of_task;
  std::map<std::string, int64_t> rows_of_language, rows_of_task;
};

CellTable SortIntoCells(const std::vector<EvaluatedRow>& rows, ComparisonInput& input) {
  CellTable table;
  std::string last;
  for (const EvaluatedRow& row : rows) {
    const auto next = static_cast<int32_t>(table.cells.size());
    const auto [found, is_new] = table.cells.emplace(std::pair(row.language, row.task), next);
    if (is_new) {
      table.of_language[row.language].push_back(next);
      table.of_task[row.task].push_back(next);
    }
    input.cell.push_back(found->second);
    if (input.stratum_sizes.empty() || row.language != last) input.stratum_sizes.push_back(0);
    ++input.stratum_sizes.back();
    last = row.language;
    ++table.rows_of_language[row.language];
    ++table.rows_of_task[row.task];
  }
  input.num_cells = static_cast<int32_t>(table.cells.size());
  return table;
}

void AddGroup(ReportGroup group, ExampleGroup cells, AblationReport& report,
              ComparisonInput& input) {
  report.groups.push_back(std::move(group));
  input.groups.push_back(std::move(cells));
}

void AddGroups(const CellTable& table, AblationReport& report, ComparisonInput& input) {
  ExampleGroup all;
  std::map<ResourceClass, ExampleGroup> classes;
  std::map<ResourceClass, int64_t> rows_of_class;
  for (const auto& [language, cells] : table.of_language) {
    all.parts.push_back(cells);
    classes[ResourceClassOf(language)].parts.push_back(cells);
    rows_of_class[ResourceClassOf(language)] += table.rows_of_language.at(language);
  }
  AddGroup({.kind = GroupKind::kAll, .name = "all", .rows = report.rows}, all, report, input);
  for (const ResourceClass resources : kClasses) {
    if (classes.count(resources) == 0) continue;
    AddGroup({.kind = GroupKind::kClass,
              .name = std::string(ResourceClassName(resources)),
              .resources = resources,
              .rows = rows_of_class[resources]},
             classes[resources], report, input);
  }
  for (const auto& [task, cells] : table.of_task) {
    if (task.empty()) continue;
    AddGroup({.kind = GroupKind::kTask, .name = task, .rows = table.rows_of_task.at(task)},
             {.parts = {cells}}, report, input);
  }
  for (const auto& [language, cells] : table.of_language) {
    AddGroup({.kind = GroupKind::kLanguage,
              .name = language,
              .resources = ResourceClassOf(language),
              .rows = table.rows_of_language.at(language)},
             {.parts = {cells}}, report, input);
  }
}

// One run's curves by (name, group): as they are, and means over the languages of a class.
std::map<std::pair<std::string, std::string>, std::map<int64_t, double>> GroupCurves(
    const RunCurves& curves) {
  std::map<std::pair<std::string, std::string>, std::map<int64_t, double>> grouped;
  std::map<std::pair<std::string, std::string>, std::map<int64_t, int64_t>> counts;
  for (const auto& [key, points] : curves) {
    const size_t slash = key.find('/');
    if (slash == std::string::npos || absl::StartsWith(key, "train/")) {
      grouped[{key, "all"}] = points;
      continue;
    }
    const std::string metric = key.substr(0, slash), language = key.substr(slash + 1);
    grouped[{metric, absl::StrCat("language/", language)}] = points;
    const std::pair by_class(metric, std::string(ResourceClassName(ResourceClassOf(language))));
    for (const auto& [step, value] : points) {
      grouped[by_class][step] += value;
      ++counts[by_class][step];
    }
  }
  for (const auto& [key, steps] : counts) {
    for (const auto& [step, count] : steps) grouped[key][step] /= static_cast<double>(count);
  }
  return grouped;
}

void AddCurves(const AblationGrid& grid, const AblationResults& results, AblationReport& report) {
  // Values of all seeds, by name, group, arm and step.
  std::map<std::pair<std::string, std::string>,
           std::map<size_t, std::map<int64_t, std::vector<double>>>>
      values;
  for (size_t run = 0; run < grid.runs.size(); ++run) {
    if (results.progress[run].state != CellState::kDone) continue;
    for (const auto& [key, points] : GroupCurves(results.curves[run])) {
      for (const auto& [step, value] : points) {
        values[key][grid.runs[run].arm][step].push_back(value);
      }
    }
  }
  for (const auto& [key, arms] : values) {
    for (const auto& [arm, steps] : arms) {
      ReportCurve curve = {.arm = arm, .name = key.first, .group = key.second, .points = {}};
      for (const auto& [step, of_seeds] : steps) {
        double sum = 0;
        for (const double value : of_seeds) sum += value;
        curve.points.push_back({.step = step,
                                .mean = sum / static_cast<double>(of_seeds.size()),
                                .low = *std::min_element(of_seeds.begin(), of_seeds.end()),
                                .high = *std::max_element(of_seeds.begin(), of_seeds.end())});
      }
      report.curves.push_back(std::move(curve));
    }
  }
}

void AddNotes(AblationReport& report) {
  for (size_t run = 0; run < report.progress.size(); ++run) {
    const CellProgress& cell = report.progress[run];
    if (cell.state == CellState::kDone) continue;
    report.notes.push_back(absl::StrCat(
        "Cell ", report.grid.runs[run].name, " is missing: ",
        cell.state == CellState::kFailed ? absl::StrCat("it failed, ", cell.error) : "not done yet",
        ". Differences are over the seeds that an arm shares with the baseline."));
  }
  if (report.grid.seeds.size() == 1) {
    report.notes.push_back(
        "There is one seed only: the intervals say nothing about what another seed would give.");
  }
}

Json NumberOrNull(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json ComparisonJson(const Comparison& comparison, Metric metric, bool is_baseline) {
  Json seeds = Json::array(), differences = Json::array();
  for (const double value : comparison.by_seed) seeds.push_back(NumberOrNull(value));
  Json json = {{"mean", NumberOrNull(comparison.mean)}, {"by_seed", seeds}};
  if (is_baseline) return json;
  for (const double value : comparison.difference_by_seed) {
    differences.push_back(NumberOrNull(value));
  }
  json["difference"] = NumberOrNull(comparison.difference);
  json["low"] = NumberOrNull(comparison.interval.low);
  json["high"] = NumberOrNull(comparison.interval.high);
  json["difference_by_seed"] = differences;
  const int verdict = Verdict(comparison, metric);
  json["verdict"] = verdict > 0 ? "better" : verdict < 0 ? "worse" : "open";
  return json;
}

Json CurvesJson(const AblationReport& report) {
  Json curves = Json::array();
  for (const ReportCurve& curve : report.curves) {
    Json steps = Json::array(), mean = Json::array(), low = Json::array(), high = Json::array();
    for (const ReportCurve::Point& point : curve.points) {
      steps.push_back(point.step);
      mean.push_back(point.mean);
      low.push_back(point.low);
      high.push_back(point.high);
    }
    curves.push_back({{"arm", report.grid.arms[curve.arm].name},
                      {"curve", curve.name},
                      {"group", curve.group},
                      {"steps", steps},
                      {"mean", mean},
                      {"low", low},
                      {"high", high}});
  }
  return curves;
}

Json CellsJson(const AblationReport& report) {
  Json cells = Json::array();
  for (size_t run = 0; run < report.progress.size(); ++run) {
    const CellProgress& progress = report.progress[run];
    Json cell = {{"cell", report.grid.runs[run].name},
                 {"arm", report.grid.arms[report.grid.runs[run].arm].name},
                 {"seed", report.grid.runs[run].seed},
                 {"state", CellStateName(progress.state)}};
    if (progress.state == CellState::kFailed) cell["error"] = progress.error;
    if (progress.seconds >= 0) cell["seconds"] = progress.seconds;
    cells.push_back(cell);
  }
  return cells;
}

std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) absl::StrAppend(&quoted, c == '"' ? "\"\"" : std::string(1, c));
  return quoted + "\"";
}

std::string CsvNumber(double value) {
  return std::isfinite(value) ? absl::StrFormat("%.9g", value) : "";
}

}  // namespace

const MetricInfo& InfoOf(Metric metric) {
  static constexpr std::array<MetricInfo, kNumMetrics> kInfos = {
      MetricInfo{"loss", "loss, nats a token", 1, 3, 3, true},
      MetricInfo{"exact_match", "exact match, %", 100, 1, 1, false},
      MetricInfo{"chrf", "chrF", 1, 1, 2, false}};
  return kInfos[static_cast<size_t>(metric)];
}

int Verdict(const Comparison& comparison, Metric metric) {
  if (!comparison.interval.Excludes(0)) return 0;
  const bool is_above = comparison.interval.low > 0;
  return is_above == InfoOf(metric).lower_is_better ? -1 : 1;
}

AblationReport MakeAblationReport(const AblationGrid& grid, const AblationResults& results) {
  AblationReport report;
  report.grid = grid;
  report.progress = results.progress;
  report.metric = static_cast<Metric>(grid.config.metric());
  report.bootstrap = {.draws = grid.config.bootstrap().draws(),
                      .confidence = grid.config.bootstrap().confidence(),
                      .seed = grid.config.bootstrap().seed()};
  report.rows = static_cast<int64_t>(results.rows.size());
  ComparisonInput input;
  const CellTable table = SortIntoCells(results.rows, input);
  report.languages = static_cast<int64_t>(table.of_language.size());
  AddGroups(table, report, input);
  input.scores = results.scores;
  input.baseline = grid.baseline;
  report.comparisons = CompareArms(input, report.bootstrap);
  AddCurves(grid, results, report);
  AddNotes(report);
  return report;
}

std::string FormatAblationReport(const AblationReport& report) {
  TextTable table({{.title = "group", .align = TextTable::Align::kLeft},
                   {.title = "arm", .align = TextTable::Align::kLeft},
                   {.title = "loss"},
                   {.title = "exact %"},
                   {.title = "chrF"},
                   {.title = absl::StrCat("change of ", InfoOf(report.metric).key)},
                   {.title = "interval"}});
  for (size_t group = 0; group < report.groups.size(); ++group) {
    const GroupKind kind = report.groups[group].kind;
    if (kind != GroupKind::kAll && kind != GroupKind::kClass) continue;
    if (group > 0) table.AddRule();
    for (size_t arm = 0; arm < report.grid.arms.size(); ++arm) {
      const auto& metrics = report.comparisons[arm][group];
      std::vector<std::string> row = {arm == 0 ? report.groups[group].name : "",
                                      report.grid.arms[arm].name};
      for (const Metric metric : kMetrics) {
        const MetricInfo& info = InfoOf(metric);
        const double mean = metrics[static_cast<size_t>(metric)].mean;
        row.push_back(std::isfinite(mean) ? absl::StrFormat("%.*f", info.digits, info.scale * mean)
                                          : "no run");
      }
      const Comparison& main = metrics[static_cast<size_t>(report.metric)];
      const MetricInfo& info = InfoOf(report.metric);
      const bool has_no_change = arm == report.grid.baseline || !std::isfinite(main.difference);
      row.push_back(has_no_change ? "-"
                                  : absl::StrFormat("%+.*f", info.difference_digits,
                                                    info.scale * main.difference));
      row.push_back(has_no_change
                        ? "-"
                        : absl::StrFormat("%+.*f .. %+.*f%s", info.difference_digits,
                                          info.scale * main.interval.low, info.difference_digits,
                                          info.scale * main.interval.high,
                                          Verdict(main, report.metric) == 0 ? " " : "*"));
      table.AddRow(std::move(row));
    }
  }
  return table.ToString();
}

std::string AblationReportToJson(const AblationReport& report) {
  Json json;
  json["baseline"] = report.grid.arms[report.grid.baseline].name;
  json["seeds"] = report.grid.seeds;
  json["rows"] = report.rows;
  json["languages"] = report.languages;
  json["bootstrap"] = {{"draws", report.bootstrap.draws},
                       {"confidence", report.bootstrap.confidence},
                       {"seed", report.bootstrap.seed},
                       {"drawn", "seeds, and rows within each language; both paired"}};
  json["notes"] = report.notes;
  for (const AblationArm& arm : report.grid.arms) {
    json["arms"].push_back({{"name", arm.name}, {"changes", arm.changes}});
  }
  json["cells"] = CellsJson(report);
  for (size_t group = 0; group < report.groups.size(); ++group) {
    const ReportGroup& info = report.groups[group];
    Json line = {{"kind", KindName(info.kind)}, {"name", info.name}, {"rows", info.rows}};
    if (info.kind == GroupKind::kLanguage) {
      line["class"] = std::string(ResourceClassName(info.resources));
    }
    for (size_t arm = 0; arm < report.grid.arms.size(); ++arm) {
      for (const Metric metric : kMetrics) {
        line["arms"][report.grid.arms[arm].name][InfoOf(metric).key] =
            ComparisonJson(report.comparisons[arm][group][static_cast<size_t>(metric)], metric,
                           arm == report.grid.baseline);
      }
    }
    json["groups"].push_back(line);
  }
  json["curves"] = CurvesJson(report);
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string AblationReportToCsv(const AblationReport& report) {
  std::string text =
      "kind,group,class,rows,arm,metric,mean,seed_low,seed_high,difference,low,high,verdict\n";
  for (size_t group = 0; group < report.groups.size(); ++group) {
    const ReportGroup& info = report.groups[group];
    const bool has_class = info.kind == GroupKind::kLanguage || info.kind == GroupKind::kClass;
    for (size_t arm = 0; arm < report.grid.arms.size(); ++arm) {
      for (const Metric metric : kMetrics) {
        const Comparison& c = report.comparisons[arm][group][static_cast<size_t>(metric)];
        std::vector<double> seeds = c.by_seed;
        std::erase_if(seeds, [](double value) { return std::isnan(value); });
        const bool is_baseline = arm == report.grid.baseline;
        const int verdict = Verdict(c, metric);
        absl::StrAppend(
            &text, KindName(info.kind), ",", CsvField(info.name), ",",
            has_class ? std::string(ResourceClassName(info.resources)) : "", ",", info.rows, ",",
            CsvField(report.grid.arms[arm].name), ",", InfoOf(metric).key, ",", CsvNumber(c.mean),
            ",", seeds.empty() ? "" : CsvNumber(*std::min_element(seeds.begin(), seeds.end())), ",",
            seeds.empty() ? "" : CsvNumber(*std::max_element(seeds.begin(), seeds.end())), ",");
        absl::StrAppend(&text, is_baseline ? "" : CsvNumber(c.difference), ",",
                        is_baseline ? "" : CsvNumber(c.interval.low), ",",
                        is_baseline ? "" : CsvNumber(c.interval.high), ",",
                        is_baseline   ? ""
                        : verdict > 0 ? "better"
                        : verdict < 0 ? "worse"
                                      : "open",
                        "\n");
      }
    }
  }
  return text;
}

}  // namespace frond
