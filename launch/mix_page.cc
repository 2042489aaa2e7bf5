#include "launch/mix_page.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/human_numbers.h"
#include "launch/html_page.h"

namespace frond {
namespace {

constexpr double kWidth = kChartWidth;
constexpr size_t kMostBars = 110;

std::string Share(double share) { return absl::StrFormat("%.3g %%", 100 * share); }

std::string ClassOf(const MixLine& line) { return std::string(ResourceClassName(line.resources)); }

std::string LanguageName(const std::string& code) {
  const LanguageInfo* found = FindLanguage(code);
  return std::string(found == nullptr ? code : found->name);
}

std::string LeafName(const MixLine& line) {
  return absl::StrCat(line.source, " / ", line.language, line.template_id.empty() ? "" : " / ",
                      line.template_id);
}

// One bar, cut by resource class.
std::string ClassBar(const MixReport& report) {
  std::string text = SvgOpen(56, "Share of the examples by resource class");
  double x = 0;
  for (const MixLine& line : report.classes) {
    const double width = kWidth * line.share;
    absl::StrAppendFormat(&text,
                          "<rect class=\"%s\" x=\"%.2f\" y=\"0\" width=\"%.2f\" "
                          "height=\"30\"><title>%s: %s</title></rect>\n",
                          ClassOf(line), x, std::max(width, 0.0), ClassOf(line), Share(line.share));
    if (width > 90) {
      absl::StrAppendFormat(&text, "<text x=\"%.2f\" y=\"48\">%s %s</text>\n", x, ClassOf(line),
                            Share(line.share));
    }
    x += width;
  }
  return text + "</svg>\n";
}

// A bar for each language, by falling share, coloured by class.
std::string LanguageBars(const MixReport& report) {
  const size_t count = std::min(report.languages.size(), kMostBars);
  if (count == 0) return "";
  constexpr double kHeight = 220, kBottom = 180;
  const double most = report.languages[0].share;
  const double step = kWidth / static_cast<double>(std::max<size_t>(count, 12));
  std::string text = SvgOpen(kHeight, "Share of the examples by language");
  for (size_t i = 0; i < count; ++i) {
    const MixLine& line = report.languages[i];
    const double height = most > 0 ? (kBottom - 16) * line.share / most : 0;
    const double x = step * static_cast<double>(i);
    absl::StrAppendFormat(&text,
                          "<rect class=\"%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" "
                          "height=\"%.2f\"><title>%s: %s, %.2f "
                          "epochs</title></rect>\n",
                          ClassOf(line), x, kBottom - height, std::max(step - 1.5, 1.0),
                          std::max(height, 0.5), HtmlEscaped(LanguageName(line.language)),
                          Share(line.share), line.epochs());
    absl::StrAppendFormat(
        &text,
        "<text transform=\"translate(%.2f,%.2f) rotate(-90)\" text-anchor=\"end\" "
        "style=\"font-size:%gpx\">%s</text>\n",
        x + step / 2 + 3, kBottom + 4, std::clamp(step - 1, 6.0, 11.0), HtmlEscaped(line.language));
  }
  absl::StrAppendFormat(&text, "<text class=\"axis\" x=\"0\" y=\"11\">%s</text></svg>\n",
                        Share(most));
  if (count < report.languages.size()) {
    absl::StrAppendFormat(&text,
                          "<p class=\"quiet\">%d smaller languages are in the table below.</p>\n",
                          report.languages.size() - count);
  }
  return text;
}

// Every leaf as a point: how many examples it has against how often they are seen.
std::string EpochPoints(const MixReport& report) {
  constexpr double kHeight = 300, kLeft = 58, kBottom = 266;
  double lowest = 0, highest = 0, largest = 1;
  for (const MixLine& leaf : report.leaves) {
    if (leaf.epochs() <= 0) continue;
    lowest = std::min(lowest, std::floor(std::log10(leaf.epochs())));
    highest = std::max(highest, std::ceil(std::log10(leaf.epochs())));
    largest = std::max(largest, std::ceil(std::log10(static_cast<double>(leaf.examples))));
  }
  highest = std::max(highest, lowest + 1);
  const auto x_of = [&](double log) { return kLeft + (kWidth - kLeft - 12) * log / largest; };
  const auto y_of = [&](double log) {
    return 10 + (kBottom - 10) * (highest - log) / (highest - lowest);
  };
  std::string text = SvgOpen(kHeight, "Epochs of each leaf against its examples");
  for (double log = lowest; log <= highest; ++log) {
    absl::StrAppendFormat(
        &text,
        "<line x1=\"%g\" x2=\"%g\" y1=\"%.2f\" y2=\"%.2f\" stroke=\"%s\"/>"
        "<text class=\"axis\" x=\"%g\" y=\"%.2f\" text-anchor=\"end\">%g x</text>\n",
        kLeft, kWidth, y_of(log), y_of(log), log == 0 ? "#9aa3af" : "#e3e6ea", kLeft - 6,
        y_of(log) + 4, std::pow(10, log));
  }
  for (double log = 0; log <= largest; ++log) {
    absl::StrAppendFormat(
        &text, "<text class=\"axis\" x=\"%.2f\" y=\"%g\" text-anchor=\"%s\">%s</text>\n", x_of(log),
        kBottom + 20, log == largest ? "end" : "middle", ShortNumber(std::pow(10, log)));
  }
  for (const MixLine& leaf : report.leaves) {
    if (leaf.epochs() <= 0) continue;
    absl::StrAppendFormat(
        &text,
        "<circle class=\"%s\" cx=\"%.2f\" cy=\"%.2f\" r=\"%.2f\" fill-opacity=\"0.75\"><title>%s: "
        "%s "
        "examples, %.2f epochs, %s</title></circle>\n",
        ClassOf(leaf), x_of(std::log10(static_cast<double>(leaf.examples))),
        y_of(std::log10(leaf.epochs())), 3 + 14 * std::sqrt(leaf.share),
        HtmlEscaped(LeafName(leaf)), WithThousands(static_cast<int64_t>(leaf.examples)),
        leaf.epochs(), Share(leaf.share));
  }
  return text + "</svg>\n";
}

using NameCells = std::function<std::vector<std::string>(const MixLine&)>;

std::string LineTable(std::vector<std::string> names, std::vector<MixLine> lines,
                      const NameCells& cells_of) {
  std::stable_sort(lines.begin(), lines.end(),
                   [](const MixLine& a, const MixLine& b) { return a.share > b.share; });
  const size_t name_columns = names.size();
  for (const char* title : {"examples", "share", "seen", "epochs", "repeats",
                            "source tokens / epoch", "target tokens / epoch", "cut", "dropped"}) {
    names.push_back(title);
  }
  HtmlTable table(names, name_columns);
  for (const MixLine& line : lines) {
    std::vector<std::string> cells;
    for (const std::string& cell : cells_of(line)) cells.push_back(HtmlEscaped(cell));
    const std::vector<std::string> numbers = {WithThousands(static_cast<int64_t>(line.examples)),
                                              Share(line.share),
                                              ShortNumber(line.seen),
                                              absl::StrFormat("%.2f", line.epochs()),
                                              ShortNumber(line.repeats),
                                              ShortNumber(static_cast<double>(line.source_tokens)),
                                              ShortNumber(static_cast<double>(line.target_tokens)),
                                              Percent(line.cut_share()),
                                              WithThousands(static_cast<int64_t>(line.dropped))};
    cells.insert(cells.end(), numbers.begin(), numbers.end());
    table.AddRow(cells);
  }
  return table.ToString(/*tall=*/true);
}

// What rules in the mixture dropped; nothing where there are none.
std::string PruningHtml(const std::vector<MixPruning>& lines) {
  if (lines.empty()) return "";
  HtmlTable table({"dataset", "rules of", "rule", "rows seen", "dropped", "ledger"}, 3);
  for (const MixPruning& line : lines) {
    table.AddRow({HtmlEscaped(line.source), HtmlEscaped(line.node), HtmlEscaped(line.rule),
                  WithThousands(line.seen), WithThousands(line.dropped), line.ledger});
  }
  return "<h2>Pruning</h2>\n" + table.ToString(/*tall=*/true);
}

std::string Summary(const MixReport& report) {
  std::string text = absl::StrCat(
      HtmlTile(ShortNumber(report.examples), "examples seen"),
      HtmlTile(ShortNumber(report.total.tokens_seen), "tokens"),
      HtmlTile(absl::StrCat(report.languages.size()), "languages"),
      HtmlTile(absl::StrCat(report.leaves.size()), "leaves"),
      HtmlTile(Percent(report.examples > 0 ? report.total.repeats / report.examples : 0),
               "repeats"),
      HtmlTile(Percent(report.total.cut_share()), "of the examples are cut"));
  absl::StrAppendFormat(
      &text,
      "<p class=\"quiet\">%s steps of %s rows%s; %.2f examples a row. Rows are filled %s on the "
      "source "
      "side (%d tokens) and %s on the target side (%d tokens), in %d sampled windows.</p>\n",
      WithThousands(report.steps), WithThousands(report.rows_per_step),
      report.packing ? "" : ", not packed", report.examples_per_row,
      Percent(report.rows.source_fill()), report.rows.row_limits.source,
      Percent(report.rows.target_fill()), report.rows.row_limits.target, report.sampled_windows);
  for (const std::string& warning : report.warnings) {
    absl::StrAppend(&text, "<p class=\"warning\">", HtmlEscaped(warning), "</p>\n");
  }
  return text;
}

}  // namespace

std::string MixReportToHtml(const MixReport& report, const std::string& title) {
  std::string text = Summary(report);
  absl::StrAppend(&text, "<h2>Resource classes</h2>\n", ClassBar(report));
  absl::StrAppend(&text, "<h2>Languages</h2>\n", LanguageBars(report));
  absl::StrAppend(&text,
                  "<h2>How often a leaf is seen</h2>\n<p class=\"quiet\">Right: more examples. Up: "
                  "more epochs in the planned steps. Size: share of what is seen.</p>\n",
                  EpochPoints(report));
  if (report.tree.has_value()) {
    const std::string tree = TreeText(report, std::numeric_limits<size_t>::max());
    absl::StrAppend(&text, "<h2>The tree</h2>\n<pre class=\"tall\">", HtmlEscaped(tree),
                    "</pre>\n");
  }
  absl::StrAppend(&text, PruningHtml(report.pruning), "<h2>Datasets</h2>\n",
                  LineTable({"dataset"}, report.datasets, [](const MixLine& line) {
                    return std::vector<std::string>{line.source};
                  }));
  absl::StrAppend(
      &text, "<h2>All languages</h2>\n",
      LineTable({"language", "name", "class"}, report.languages, [](const MixLine& line) {
        return std::vector<std::string>{line.language, LanguageName(line.language), ClassOf(line)};
      }));
  absl::StrAppend(&text, "<h2>All leaves</h2>\n",
                  LineTable({"leaf", "class"}, report.leaves, [](const MixLine& line) {
                    return std::vector<std::string>{LeafName(line), ClassOf(line)};
                  }));
  return HtmlPage(title, text);
}

}  // namespace frond
