#include "launch/run_table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/human_numbers.h"
#include "core/base/text_table.h"

namespace frond {
namespace {

constexpr const char* kIndent = "  ";
using Align = TextTable::Align;

std::string FormatFacts(const std::vector<RunTable::Fact>& facts) {
  size_t width = 0;
  for (const RunTable::Fact& fact : facts) width = std::max(width, fact.name.size());
  std::string text;
  for (const RunTable::Fact& fact : facts) {
    absl::StrAppend(&text, kIndent, fact.name, std::string(width - fact.name.size() + 2, ' '),
                    fact.value, "\n");
  }
  return text;
}

std::string FormatParameters(const std::vector<RunTable::Parameters>& parameters) {
  int64_t total = 0;
  for (const auto& row : parameters) total += row.count;
  TextTable table(
      {{.title = "parameters", .align = Align::kLeft}, {.title = "count"}, {.title = "share"}});
  for (const auto& row : parameters) {
    table.AddRow({row.part, WithThousands(row.count),
                  Percent(static_cast<double>(row.count) / static_cast<double>(total))});
  }
  table.AddRule();
  table.AddRow({"all", WithThousands(total), ShortNumber(static_cast<double>(total))});
  return table.ToString(kIndent);
}

std::string FormatMemory(const std::vector<RunTable::Memory>& memory) {
  int64_t total = 0;
  TextTable table({{.title = "memory per rank", .align = Align::kLeft}, {.title = "size"}});
  for (const auto& row : memory) {
    total += row.bytes;
    table.AddRow({row.kind, HumanBytes(row.bytes)});
  }
  table.AddRule();
  table.AddRow({"all", HumanBytes(total)});
  return table.ToString(kIndent);
}

// Sums of examples; shares and truncation weighted by what they are shares of.
RunTable::Leaf Sum(const std::vector<RunTable::Leaf>& leaves, size_t first) {
  RunTable::Leaf sum;
  double epochs = 0, truncated = 0;
  for (size_t i = first; i < leaves.size(); ++i) {
    const auto examples = static_cast<double>(leaves[i].examples);
    sum.examples += leaves[i].examples;
    sum.share += leaves[i].share;
    epochs += leaves[i].epochs * examples;
    truncated += leaves[i].truncated * leaves[i].share;
  }
  if (sum.examples > 0) sum.epochs = epochs / static_cast<double>(sum.examples);
  if (sum.share > 0) sum.truncated = truncated / sum.share;
  return sum;
}

std::string FormatMixture(std::vector<RunTable::Leaf> leaves, size_t max_leaves) {
  std::stable_sort(leaves.begin(), leaves.end(),
                   [](const auto& a, const auto& b) { return a.share > b.share; });
  TextTable table({{.title = "mixture", .align = Align::kLeft},
                   {.title = "language", .align = Align::kLeft},
                   {.title = "examples"},
                   {.title = "share"},
                   {.title = "epochs"},
                   {.title = "truncated"}});
  const auto add = [&](const std::string& source, const std::string& language,
                       const RunTable::Leaf& leaf) {
    table.AddRow({source, language, WithThousands(leaf.examples), Percent(leaf.share),
                  absl::StrFormat("%.2f", leaf.epochs), Percent(leaf.truncated)});
  };
  // One more leaf takes no more room than the line that would sum it up.
  const size_t shown = leaves.size() <= max_leaves + 1 ? leaves.size() : max_leaves;
  for (size_t i = 0; i < shown; ++i) add(leaves[i].source, leaves[i].language, leaves[i]);
  if (shown < leaves.size()) {
    add(absl::StrFormat("%d more", leaves.size() - shown), "", Sum(leaves, shown));
  }
  table.AddRule();
  add("all", absl::StrFormat("%d leaves", leaves.size()), Sum(leaves, 0));
  return table.ToString(kIndent);
}

std::string FormatPacking(const RunTable::Packing& packing) {
  return absl::StrFormat(
      "%spacking: rows filled %s (source) and %s (target), %.1f examples a row\n", kIndent,
      Percent(packing.source_filled), Percent(packing.target_filled), packing.examples_per_row);
}

}  // namespace

std::string FormatRunTable(const RunTable& table) {
  std::string text = FormatFacts(table.facts);
  const auto add_part = [&](const std::string& part) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", part);
  };
  if (!table.parameters.empty()) add_part(FormatParameters(table.parameters));
  if (!table.memory.empty()) add_part(FormatMemory(table.memory));
  if (!table.mixture.empty()) add_part(FormatMixture(table.mixture, table.max_leaves));
  if (table.packing.planned) add_part(FormatPacking(table.packing));
  return text;
}

}  // namespace frond
