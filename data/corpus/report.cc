// The corpus report as a table for the terminal.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "data/corpus/corpus.h"

namespace frond {
namespace {

std::string FormatLine(const std::string& name, const SplitCounts& counts, int64_t all) {
  const double share = all == 0 ? 0 : 100.0 * counts.total() / all;
  return absl::StrFormat("  %-18s %9d %11d %8d %8d %6.1f %%\n", name, counts.train,
                         counts.validation, counts.test, counts.total(), share);
}

}  // namespace

std::string FormatCorpusReport(const CorpusReport& report) {
  const int64_t all = report.rows.total();
  std::string text = absl::StrFormat("Corpus from CLDR %s (ICU %s): %d languages, %.1f MB\n\n",
                                     report.cldr_version, report.icu_version,
                                     report.rows_by_language.size(), report.bytes / 1e6);
  absl::StrAppendFormat(&text, "  %-18s %9s %11s %8s %8s %8s\n", "task", "train", "validation",
                        "test", "all", "share");
  const std::string rule = absl::StrCat("  ", std::string(67, '-'), "\n");
  text += rule;
  for (const auto& [task, counts] : report.rows_by_task) text += FormatLine(task, counts, all);
  text += rule;
  text += FormatLine("all", report.rows, all);

  int64_t least = all;
  int64_t most = 0;
  for (const auto& [code, counts] : report.rows_by_language) {
    least = std::min(least, counts.total());
    most = std::max(most, counts.total());
  }
  absl::StrAppendFormat(&text, "\n  Rows per language: %d to %d. Answered in English: %.1f %%.\n",
                        least, most, all == 0 ? 0 : 100.0 * report.english_target_rows / all);
  std::string line = "  Languages:";
  for (const auto& [code, counts] : report.rows_by_language) {
    if (line.size() + code.size() + 1 > 78) {
      absl::StrAppend(&text, line, "\n");
      line = "   ";
    }
    absl::StrAppend(&line, " ", code);
  }
  absl::StrAppend(&text, line, "\n");
  return text;
}

}  // namespace frond
