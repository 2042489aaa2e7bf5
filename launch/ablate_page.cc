#include "launch/ablate_page.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/human_numbers.h"
#include "launch/ablate_charts.h"
#include "launch/html_page.h"

namespace frond {
namespace {

constexpr std::array kMetrics = {Metric::kLoss, Metric::kExactMatch, Metric::kChrf};
constexpr size_t kShownLanguages = 12;  // winners, and losers

std::string NameOfLanguage(const std::string& code) {
  const LanguageInfo* found = FindLanguage(code);
  return std::string(found == nullptr ? code : found->name);
}

class Page {
 public:
  explicit Page(const AblationReport& report) : report_(report), info_(InfoOf(report.metric)) {}

  std::string ToHtml() const {
    return absl::StrCat(Summary(), Overall(), Classes(), Tasks(), Curves(), Languages(),
                        AllLanguages(), Arms(), Cells());
  }

 private:
  const Comparison& Of(size_t arm, size_t group, Metric metric) const {
    return report_.comparisons[arm][group][static_cast<size_t>(metric)];
  }
  const std::string& NameOf(size_t arm) const { return report_.grid.arms[arm].name; }
  bool IsBaseline(size_t arm) const { return arm == report_.grid.baseline; }
  size_t NumArms() const { return report_.grid.arms.size(); }

  std::vector<size_t> GroupsOf(GroupKind kind) const {
    std::vector<size_t> groups;
    for (size_t i = 0; i < report_.groups.size(); ++i) {
      if (report_.groups[i].kind == kind) groups.push_back(i);
    }
    return groups;
  }

  std::string ConfidenceText() const {
    return absl::StrFormat("%g %%", 100 * report_.bootstrap.confidence);
  }

  // What a chart is about, and where good differences are.
  std::string AxisText(const std::string& arm, bool upwards) const {
    const char* good = upwards ? (info_.lower_is_better ? "down" : "up")
                               : (info_.lower_is_better ? "left" : "right");
    return absl::StrCat(info_.title, ": ", arm, " less ", NameOf(report_.grid.baseline), " (", good,
                        " is better)");
  }

  DifferenceMark Mark(size_t arm, size_t group) const {
    const Comparison& c = Of(arm, group, report_.metric);
    DifferenceMark mark = {.difference = info_.scale * c.difference,
                           .low = info_.scale * c.interval.low,
                           .high = info_.scale * c.interval.high};
    for (const double seed : c.difference_by_seed) mark.by_seed.push_back(info_.scale * seed);
    mark.hint = absl::StrFormat("%s, %s: %+.*f [%+.*f, %+.*f], %d rows", report_.groups[group].name,
                                NameOf(arm), info_.difference_digits, mark.difference,
                                info_.difference_digits, mark.low, info_.difference_digits,
                                mark.high, report_.groups[group].rows);
    mark.shape = absl::StrCat("arm", arm % 8);
    return mark;
  }

  // All arms but the baseline in each of the groups.
  std::string Forest(const std::vector<size_t>& groups) const {
    std::vector<DifferenceMark> marks;
    for (const size_t group : groups) {
      bool first = true;
      for (size_t arm = 0; arm < NumArms(); ++arm) {
        if (IsBaseline(arm)) continue;
        DifferenceMark mark = Mark(arm, group);
        const ReportGroup& of = report_.groups[group];
        if (first) mark.label = of.kind == GroupKind::kAll ? "all languages" : of.name;
        first = false;
        marks.push_back(std::move(mark));
      }
    }
    return Legend() +
           ForestChart(marks, AxisText("arm", /*upwards=*/false), info_.difference_digits);
  }

  std::string Legend() const {
    std::vector<std::string> names;
    for (size_t arm = 0; arm < NumArms(); ++arm)
      names.push_back(IsBaseline(arm) ? "" : NameOf(arm));
    return ColorLegend(names);
  }

  std::string ValueCell(size_t arm, size_t group, Metric metric) const {
    const MetricInfo& info = InfoOf(metric);
    const double mean = info.scale * Of(arm, group, metric).mean;
    return std::isnan(mean) ? "-" : absl::StrFormat("%.*f", info.digits, mean);
  }

  std::string DifferenceCell(size_t arm, size_t group, Metric metric) const {
    const MetricInfo& info = InfoOf(metric);
    const Comparison& c = Of(arm, group, metric);
    if (IsBaseline(arm) || std::isnan(c.interval.low)) return "";
    const int verdict = Verdict(c, metric), digits = info.difference_digits;
    return absl::StrFormat("<span class=\"%s\">%+.*f [%+.*f, %+.*f]</span>",
                           verdict > 0   ? "better"
                           : verdict < 0 ? "worse"
                                         : "quiet",
                           digits, info.scale * c.difference, digits, info.scale * c.interval.low,
                           digits, info.scale * c.interval.high);
  }

  // A line for each group and arm.
  std::string Table(const std::vector<size_t>& groups, const std::string& title, bool tall) const {
    std::vector<std::string> titles = {title, "arm", "rows"};
    for (const Metric metric : kMetrics) {
      titles.push_back(InfoOf(metric).title);
      titles.push_back("to the baseline");
    }
    HtmlTable table(titles, 2);
    for (const size_t group : groups) {
      const ReportGroup& of = report_.groups[group];
      for (size_t arm = 0; arm < NumArms(); ++arm) {
        std::string name = arm == 0 ? of.name : "";
        if (arm == 0 && of.kind == GroupKind::kLanguage) {
          absl::StrAppend(&name, " ", NameOfLanguage(of.name), ", ",
                          std::string(ResourceClassName(of.resources)));
        }
        std::vector<std::string> cells = {HtmlEscaped(name), HtmlEscaped(NameOf(arm)),
                                          arm == 0 ? WithThousands(of.rows) : ""};
        for (const Metric metric : kMetrics) {
          cells.push_back(ValueCell(arm, group, metric));
          cells.push_back(DifferenceCell(arm, group, metric));
        }
        table.AddRow(cells);
      }
    }
    return table.ToString(tall);
  }

  std::string Summary() const {
    size_t done = 0;
    for (const CellProgress& cell : report_.progress) done += cell.state == CellState::kDone;
    std::string text =
        absl::StrCat(HtmlTile(absl::StrCat(NumArms()), "arms"),
                     HtmlTile(absl::StrCat(report_.grid.seeds.size()), "seeds"),
                     HtmlTile(absl::StrCat(done, " of ", report_.progress.size()), "cells done"),
                     HtmlTile(WithThousands(report_.rows), "evaluated rows"),
                     HtmlTile(absl::StrCat(report_.languages), "languages"));
    absl::StrAppend(
        &text, "<p class=\"quiet\">Every arm is compared with <b>",
        HtmlEscaped(NameOf(report_.grid.baseline)),
        "</b>, seed by seed and row by row. Brackets are ", ConfidenceText(),
        " intervals of the bootstrap (", WithThousands(report_.bootstrap.draws),
        " draws): seeds and, within each language, rows are drawn again with replacement, the same "
        "for both arms. All languages and a resource class are means over languages, a task is "
        "over "
        "its rows. Green and red: the interval excludes 0.</p>\n");
    absl::StrAppend(&text, Caution());
    for (const std::string& note : report_.notes) {
      absl::StrAppend(&text, "<p class=\"warning\">", HtmlEscaped(note), "</p>\n");
    }
    return text;
  }

  // What the intervals do not say.
  std::string Caution() const {
    const auto seeds = static_cast<double>(report_.grid.seeds.size());
    std::string text = absl::StrFormat(
        "<p class=\"quiet\">With %d seeds the intervals are too narrow: seeds that are drawn again "
        "vary less than new ones would (with %.0f %% of the variance). Many intervals are shown "
        "at once: without any true difference some %.0f of the %d languages would be marked in "
        "each arm.</p>\n",
        report_.grid.seeds.size(), 100 * (seeds - 1) / seeds,
        (1 - report_.bootstrap.confidence) * static_cast<double>(report_.languages),
        report_.languages);
    return seeds > 1 ? text : "";
  }

  std::string Overall() const {
    const std::vector<size_t> all = GroupsOf(GroupKind::kAll);
    return absl::StrCat("<h2>All languages</h2>\n", Table(all, "", false));
  }

  std::string Classes() const {
    std::vector<size_t> groups = GroupsOf(GroupKind::kAll);
    const std::vector<size_t> classes = GroupsOf(GroupKind::kClass);
    groups.insert(groups.end(), classes.begin(), classes.end());
    return absl::StrCat(
        "<h2>By resource class</h2>\n", Forest(groups),
        "<p class=\"quiet\">Dot: difference, filled where its interval excludes 0; line: the "
        "interval; strokes: single seeds. Classes are the Aya paper's; other: not among its 101 "
        "languages.</p>\n",
        Table(classes, "class", false));
  }

  std::string Tasks() const {
    const std::vector<size_t> tasks = GroupsOf(GroupKind::kTask);
    if (tasks.empty()) return "";
    return absl::StrCat("<h2>By task</h2>\n", Forest(tasks), Table(tasks, "task", true));
  }

  std::string CurveOf(const std::string& name, const std::string& group, const std::string& title,
                      double width, const MetricInfo& info) const {
    std::vector<CurveLine> lines;
    for (const ReportCurve& curve : report_.curves) {
      if (curve.name != name || curve.group != group) continue;
      CurveLine line = {.name = NameOf(curve.arm), .color = curve.arm};
      for (const ReportCurve::Point& point : curve.points) {
        line.points.push_back({.x = static_cast<double>(point.step),
                               .y = info.scale * point.mean,
                               .low = info.scale * point.low,
                               .high = info.scale * point.high});
      }
      lines.push_back(std::move(line));
    }
    return CurveChart(lines, title, width, info.digits);
  }

  std::string Curves() const {
    std::vector<std::string> names;
    for (size_t arm = 0; arm < NumArms(); ++arm) names.push_back(NameOf(arm));
    std::string text = "<h2>Over the training</h2>\n" + ColorLegend(names);
    constexpr double kHalf = kChartWidth / 2 - 4, kThird = kChartWidth / 3 - 4;
    std::string overall;
    for (const Metric metric : kMetrics) {
      const MetricInfo& info = InfoOf(metric);
      overall += CurveOf(info.key, "all", absl::StrCat("evaluation: ", info.title), kHalf, info);
    }
    overall += CurveOf("train/loss", "all", "loss of the training's own rows", kHalf,
                       InfoOf(Metric::kLoss));
    text += overall;
    for (const char* group : {"high", "mid", "low"}) {
      text += CurveOf(info_.key, group, absl::StrCat(group, ": ", info_.title), kThird, info_);
    }
    return text +
           "<p class=\"quiet\">By step; lines are means over seeds, bands reach from the lowest to "
           "the "
           "highest seed. Losses of training rows are over each arm's own mixture and say nothing "
           "about which arm is better. Evaluations during the training may use fewer rows than the "
           "tables.</p>\n";
  }

  // Languages from the best difference to the worst.
  std::vector<size_t> Ranked(size_t arm) const {
    std::vector<size_t> languages = GroupsOf(GroupKind::kLanguage);
    std::erase_if(languages, [&](size_t group) {
      return std::isnan(Of(arm, group, report_.metric).difference);
    });
    const double sign = info_.lower_is_better ? 1 : -1;
    std::stable_sort(languages.begin(), languages.end(), [&](size_t a, size_t b) {
      return sign * Of(arm, a, report_.metric).difference <
             sign * Of(arm, b, report_.metric).difference;
    });
    return languages;
  }

  DifferenceMark LanguageMark(size_t arm, size_t group, bool long_name) const {
    DifferenceMark mark = Mark(arm, group);
    const ReportGroup& of = report_.groups[group];
    const std::string name = NameOfLanguage(of.name);
    mark.label = !long_name || name == of.name ? of.name : absl::StrCat(name, " (", of.name, ")");
    mark.shape = std::string(ResourceClassName(of.resources));
    return mark;
  }

  std::string Languages() const {
    std::string text = "<h2>Winners and losers by language</h2>\n";
    for (size_t arm = 0; arm < NumArms(); ++arm) {
      if (!IsBaseline(arm)) text += LanguagesOf(arm);
    }
    return text;
  }

  std::string LanguagesOf(size_t arm) const {
    const std::vector<size_t> ranked = Ranked(arm);
    if (ranked.empty()) return "";
    std::vector<DifferenceMark> columns, ends;
    int better = 0, worse = 0;
    for (size_t i = 0; i < ranked.size(); ++i) {
      const int verdict = Verdict(Of(arm, ranked[i], report_.metric), report_.metric);
      better += verdict > 0;
      worse += verdict < 0;
      columns.push_back(LanguageMark(arm, ranked[i], /*long_name=*/false));
      if (i < kShownLanguages || ranked.size() - i <= kShownLanguages) {
        ends.push_back(LanguageMark(arm, ranked[i], /*long_name=*/true));
      }
    }
    std::string text = absl::StrCat("<h3>", HtmlEscaped(NameOf(arm)), " against ",
                                    HtmlEscaped(NameOf(report_.grid.baseline)), "</h3>\n");
    absl::StrAppend(&text, "<p>", better, " languages are better and ", worse,
                    " worse with an interval that "
                    "excludes 0; ",
                    ranked.size() - static_cast<size_t>(better + worse), " are open.</p>\n");
    text += DifferenceColumns(columns, AxisText(NameOf(arm), /*upwards=*/true));
    absl::StrAppend(
        &text,
        "<p class=\"quiet\">Colour: resource class, <span style=\"color:#2f6db5\">high"
        "</span>, <span style=\"color:#3a9d7c\">mid</span>, <span style=\"color:#d9822b\">"
        "low</span>, other; hollow: the interval holds 0.</p>\n",
        ranked.size() > 2 * kShownLanguages
            ? absl::StrCat("<p>The ", kShownLanguages, " best and the ", kShownLanguages,
                           " worst:</p>\n")
            : "");
    return text +
           ForestChart(ends, AxisText(NameOf(arm), /*upwards=*/false), info_.difference_digits);
  }

  std::string AllLanguages() const {
    return absl::StrCat("<h2>Every language</h2>\n",
                        Table(GroupsOf(GroupKind::kLanguage), "language", true));
  }

  std::string Arms() const {
    std::string text = "<h2>The arms</h2>\n";
    for (const AblationArm& arm : report_.grid.arms) {
      absl::StrAppend(&text, "<h3>", HtmlEscaped(arm.name), "</h3>\n<pre>");
      for (const std::string& change : arm.changes) {
        absl::StrAppend(&text, HtmlEscaped(change), "\n");
      }
      absl::StrAppend(&text, arm.changes.empty() ? "the base as it is\n" : "", "</pre>\n");
    }
    return text;
  }

  std::string Cells() const {
    HtmlTable table({"cell", "state", "steps", "time", "loss", "exact match, %", "chrF"}, 2);
    for (size_t run = 0; run < report_.progress.size(); ++run) {
      const CellProgress& progress = report_.progress[run];
      const AblationRun& cell = report_.grid.runs[run];
      const auto seed = static_cast<size_t>(
          std::find(report_.grid.seeds.begin(), report_.grid.seeds.end(), cell.seed) -
          report_.grid.seeds.begin());
      std::vector<std::string> cells = {
          HtmlEscaped(cell.name), CellStateName(progress.state), WithThousands(cell.train.steps()),
          progress.seconds >= 0 ? HumanDuration(progress.seconds) : ""};
      for (const Metric metric : kMetrics) {
        const MetricInfo& info = InfoOf(metric);
        const double value = info.scale * Of(cell.arm, 0, metric).by_seed[seed];
        cells.push_back(std::isnan(value) ? "" : absl::StrFormat("%.*f", info.digits, value));
      }
      table.AddRow(cells);
    }
    return absl::StrCat("<h2>The cells</h2>\n", table.ToString(/*tall=*/true));
  }

  const AblationReport& report_;
  const MetricInfo& info_;
};

}  // namespace

std::string AblationReportToHtml(const AblationReport& report) {
  return HtmlPage(absl::StrCat("Ablation ", report.grid.out_dir), Page(report).ToHtml());
}

}  // namespace frond
