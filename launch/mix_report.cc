#include "launch/mix_report.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/human_numbers.h"
#include "core/base/name_list.h"
#include "core/base/text_table.h"
#include "data/batch_builder.h"

namespace frond {
namespace {

using Align = TextTable::Align;
using Json = nlohmann::ordered_json;

constexpr size_t kWarnedNames = 8;
constexpr size_t kAllChildren = std::numeric_limits<size_t>::max();

// Lengths of all of a leaf's examples; the variants of one are seen equally often.
void CountTokens(const LeafExamples& at, const SideLengths& limits, MixLine& line) {
  double cut = 0, source_tokens = 0, target_tokens = 0;
  for (const uint32_t example : at.examples) {
    const TokenCache::Variants variants = at.VariantsOf(example);
    const double part = 1 / static_cast<double>(variants.count);
    for (int64_t v = variants.begin; v < variants.begin + variants.count; ++v) {
      const SideLengths whole = {.source = at.cache->source_length(v),
                                 .target = at.cache->target_length(v)};
      const SideLengths kept = TruncatedLengths(whole, limits);
      if (kept.source < whole.source || kept.target < whole.target) cut += part;
      source_tokens += part * kept.source;
      target_tokens += part * kept.target;
    }
  }
  line.cut = std::llround(cut);
  line.source_tokens = std::llround(source_tokens);
  line.target_tokens = std::llround(target_tokens);
}

// Of each template that datasets name: the rows it speaks for and its share of the run.
std::vector<MixTemplate> TemplatesOfMixture(const TrainingData& data) {
  std::map<std::pair<std::string, std::string>, MixTemplate> counts;
  const std::vector<LeafInfo>& leaves = data.mixture().leaves();
  for (size_t i = 0; i < leaves.size(); ++i) {
    const LeafExamples& at = data.built().leaves[i];
    if (at.cache->templates().empty()) continue;
    const double share = leaves[i].probability / static_cast<double>(at.examples.size());
    for (const uint32_t example : at.examples) {
      const TokenCache::Variants variants = at.VariantsOf(example);
      for (int64_t v = variants.begin; v < variants.begin + variants.count; ++v) {
        MixTemplate& line = counts[{leaves[i].source, at.cache->template_id(v)}];
        ++line.rows;
        line.share += share / static_cast<double>(variants.count);
      }
    }
  }
  std::vector<MixTemplate> lines;
  for (const TrainingData::TemplateName& name : data.templates()) {
    MixTemplate line = counts[{name.source, name.label}];
    line.source = name.source;
    line.label = name.label;
    lines.push_back(std::move(line));
  }
  return lines;
}

MixLine LineOfLeaf(const LeafInfo& leaf, const LeafExamples& at, const SideLengths& limits,
                   double run_examples) {
  MixLine line = {.source = leaf.source,
                  .language = leaf.language,
                  .template_id = leaf.template_id,
                  .resources = ResourceClassOf(leaf.language),
                  .leaves = 1,
                  .examples = leaf.num_examples,
                  .dropped = at.dropped,
                  .share = leaf.probability,
                  .seen = leaf.probability * run_examples};
  CountTokens(at, limits, line);
  line.repeats = std::max(0.0, line.seen - static_cast<double>(line.examples));
  line.tokens_seen = line.epochs() * static_cast<double>(line.source_tokens + line.target_tokens);
  return line;
}

void Add(const MixLine& leaf, MixLine& sum) {
  sum.leaves += leaf.leaves;
  sum.examples += leaf.examples;
  sum.dropped += leaf.dropped;
  sum.share += leaf.share;
  sum.seen += leaf.seen;
  sum.repeats += leaf.repeats;
  sum.cut += leaf.cut;
  sum.source_tokens += leaf.source_tokens;
  sum.target_tokens += leaf.target_tokens;
  sum.tokens_seen += leaf.tokens_seen;
}

// Sums of the leaves for which `name` sets the same, by falling share.
std::vector<MixLine> SumBy(const std::vector<MixLine>& leaves,
                           const std::function<void(const MixLine&, MixLine&)>& name) {
  std::map<std::string, MixLine> sums;
  for (const MixLine& leaf : leaves) {
    MixLine named;
    name(leaf, named);
    const std::string key =
        absl::StrCat(named.source, "\n", named.language, "\n", ResourceClassName(named.resources));
    Add(leaf, sums.try_emplace(key, named).first->second);
  }
  std::vector<MixLine> sorted;
  for (auto& [key, sum] : sums) sorted.push_back(std::move(sum));
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const MixLine& a, const MixLine& b) { return a.share > b.share; });
  return sorted;
}

std::string NameOf(const MixLine& leaf) {
  return LeafName(leaf.source, leaf.language, leaf.template_id);
}

// "3 leaves <what>: a, b, c".
void Warn(absl::string_view one, absl::string_view many, absl::string_view what,
          const std::vector<std::string>& names, std::vector<std::string>& warnings) {
  if (names.empty()) return;
  warnings.push_back(absl::StrCat(names.size(), " ", names.size() == 1 ? one : many, " ", what,
                                  ": ", NameList(names, kWarnedNames)));
}

std::vector<std::string> Warnings(const MixReport& report, const MixOptions& options,
                                  const std::vector<uint64_t>& counts) {
  std::vector<std::string> emptied, often, never, cut, small, unknown, silent, warnings;
  for (size_t i = 0; i < report.leaves.size(); ++i) {
    const MixLine& leaf = report.leaves[i];
    if (leaf.epochs() > options.most_epochs) {
      often.push_back(absl::StrFormat("%s (%.1f)", NameOf(leaf), leaf.epochs()));
    }
    if (leaf.cut_share() > options.most_cut && leaf.share > 0) {
      cut.push_back(absl::StrCat(NameOf(leaf), " (", Percent(leaf.cut_share()), ")"));
    }
    if (leaf.examples == 0 && leaf.dropped > 0) {
      emptied.push_back(NameOf(leaf));
    } else if (counts[i] == 0) {
      never.push_back(NameOf(leaf));
    }
  }
  for (const MixLine& language : report.languages) {
    if (language.share < options.least_share) {
      small.push_back(absl::StrFormat("%s (%.4f%%)", language.language, 100 * language.share));
    }
    if (language.resources == ResourceClass::kOther) unknown.push_back(language.language);
  }
  Warn("leaf", "leaves", "that pruning left no row", emptied, warnings);
  Warn("leaf", "leaves", absl::StrFormat("seen more than %g times", options.most_epochs), often,
       warnings);
  Warn("leaf", "leaves", "never seen in these steps", never, warnings);
  Warn("leaf", "leaves",
       absl::StrFormat("with more than %g%% of the examples cut", 100 * options.most_cut), cut,
       warnings);
  Warn("language", "languages",
       absl::StrFormat("below %g%% of the examples", 100 * options.least_share), small, warnings);
  for (const MixTemplate& line : report.templates) {
    if (line.rows == 0) silent.push_back(absl::StrCat(line.source, "/", line.label));
  }
  Warn("template", "templates", "with nothing to say about any row", silent, warnings);
  Warn("language code", "language codes", "not among the 101 of the table, so of no resource class",
       unknown, warnings);
  return warnings;
}

void PlanRows(const TrainingData& data, const MixOptions& options, MixReport& report) {
  const RowStream& rows = data.rows();
  report.sampled_windows = std::max<uint64_t>(1, options.sample_windows);
  for (uint64_t w = 0; w < report.sampled_windows; ++w) report.rows += rows.Plan(w).packing;
  report.examples_per_row =
      static_cast<double>(report.rows.examples) / static_cast<double>(report.rows.rows);
  report.examples = report.examples_per_row * static_cast<double>(report.steps) *
                    static_cast<double>(report.rows_per_step);
}

double FillOf(const PackingReport& rows) {
  const auto room = static_cast<double>(rows.rows) *
                    (static_cast<double>(rows.row_limits.source) + rows.row_limits.target);
  return static_cast<double>(rows.source_tokens + rows.target_tokens) / room;
}

// Packs the first window's examples under `limits`; `cut` counts those that lose tokens.
PackingReport PackUnder(const std::vector<SideLengths>& whole, const SideLengths& limits,
                        int64_t& cut) {
  std::vector<SideLengths> kept;
  cut = 0;
  for (const SideLengths& lengths : whole) {
    kept.push_back(TruncatedLengths(lengths, limits));
    cut += kept.back().source < lengths.source || kept.back().target < lengths.target;
  }
  return PackWindow(kept, limits, /*seed=*/0).report;
}

void ProposeTargetLength(const TrainingData& data, MixReport& report) {
  constexpr int kParts = 16;
  const RowStream& rows = data.rows();
  const SideLengths own = rows.options().limits;
  std::vector<SideLengths> whole;
  for (const StreamExample& example : rows.stream().Window(0)) {
    whole.push_back(rows.lengths()(example));
  }
  int64_t own_cut = 0;
  report.fill = report.proposed_fill = FillOf(PackUnder(whole, own, own_cut));
  report.proposed_target_length = own.target;
  const auto most_cut = own_cut + static_cast<int64_t>(whole.size() / 100);
  for (int part = 1; part <= kParts; ++part) {
    const int32_t target = own.source * static_cast<int64_t>(part) / kParts;
    if (target < 1) continue;
    int64_t cut = 0;
    const double fill = FillOf(PackUnder(whole, {.source = own.source, .target = target}, cut));
    if (cut > most_cut || fill <= report.proposed_fill) continue;
    report.proposed_fill = fill;
    report.proposed_target_length = target;
  }
}

std::vector<MixPruning> PruningOf(const TreePruning& pruning) {
  std::vector<MixPruning> lines;
  for (const auto& node : pruning.nodes()) {
    for (const KeptRows::SourceSummary& source : node->sources()) {
      for (size_t r = 0; r < node->rules().size(); ++r) {
        if (source.seen[r] == 0) continue;
        lines.push_back({.source = source.name,
                         .node = node->name(),
                         .rule = node->rules()[r].name,
                         .kind = node->rules()[r].kind,
                         .ledger = node->ledger_hash(),
                         .seen = source.seen[r],
                         .dropped = source.dropped[r]});
      }
    }
  }
  return lines;
}

// ---- Text

using Cells = std::vector<std::string>;

std::vector<TextTable::Column> Columns(std::vector<std::string> names, bool dropped) {
  std::vector<TextTable::Column> columns;
  for (std::string& name : names) {
    columns.push_back({.title = std::move(name), .align = Align::kLeft});
  }
  for (const char* title :
       {"examples", "share", "seen", "epochs", "repeats", "tokens/epoch", "cut"}) {
    columns.push_back({.title = title});
  }
  if (dropped) columns.push_back({.title = "dropped"});
  return columns;
}

Cells WithNumbers(Cells cells, const MixLine& line, bool dropped) {
  for (std::string& cell :
       Cells{WithThousands(static_cast<int64_t>(line.examples)),
             absl::StrFormat("%.3f%%", 100 * line.share), ShortNumber(line.seen),
             absl::StrFormat("%.2f", line.epochs()), ShortNumber(line.repeats),
             ShortNumber(static_cast<double>(line.source_tokens + line.target_tokens)),
             Percent(line.cut_share())}) {
    cells.push_back(std::move(cell));
  }
  if (dropped) cells.push_back(WithThousands(static_cast<int64_t>(line.dropped)));
  return cells;
}

std::string Table(std::vector<std::string> names, std::vector<MixLine> lines, size_t most,
                  const std::function<Cells(const MixLine&)>& cells_of) {
  std::stable_sort(lines.begin(), lines.end(),
                   [](const MixLine& a, const MixLine& b) { return a.share > b.share; });
  const size_t width = names.size();
  const bool dropped =
      std::any_of(lines.begin(), lines.end(), [](const MixLine& line) { return line.dropped > 0; });
  TextTable table(Columns(std::move(names), dropped));
  MixLine rest;
  // One more line takes no more room than the line that would sum it up.
  const size_t shown = lines.size() <= most + 1 ? lines.size() : most;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i < shown) {
      table.AddRow(WithNumbers(cells_of(lines[i]), lines[i], dropped));
    } else {
      Add(lines[i], rest);
    }
  }
  if (shown < lines.size()) {
    Cells cells(width);
    cells[0] = absl::StrCat(lines.size() - shown, " more");
    table.AddRow(WithNumbers(std::move(cells), rest, dropped));
  }
  return table.ToString("  ");
}

std::string PruningTable(const std::vector<MixPruning>& lines, size_t most) {
  TextTable table({{.title = "dataset", .align = Align::kLeft},
                   {.title = "rules of", .align = Align::kLeft},
                   {.title = "rule", .align = Align::kLeft},
                   {.title = "rows seen"},
                   {.title = "dropped"},
                   {.title = "share"},
                   {.title = "ledger"}});
  for (size_t i = 0; i < std::min(lines.size(), most); ++i) {
    const MixPruning& line = lines[i];
    table.AddRow(
        {line.source, line.node, line.rule, WithThousands(line.seen), WithThousands(line.dropped),
         Percent(static_cast<double>(line.dropped) / static_cast<double>(line.seen)), line.ledger});
  }
  std::string text = table.ToString("  ");
  if (lines.size() > most) absl::StrAppend(&text, "  and ", lines.size() - most, " more\n");
  return text;
}

std::string TemplateTable(const std::vector<MixTemplate>& lines, size_t most) {
  TextTable table({{.title = "dataset", .align = Align::kLeft},
                   {.title = "template", .align = Align::kLeft},
                   {.title = "rows"},
                   {.title = "share"}});
  for (size_t i = 0; i < std::min(lines.size(), most); ++i) {
    table.AddRow({lines[i].source, lines[i].label, WithThousands(lines[i].rows),
                  absl::StrFormat("%.3f%%", 100 * lines[i].share)});
  }
  std::string text = table.ToString("  ");
  if (lines.size() > most) absl::StrAppend(&text, "  and ", lines.size() - most, " more\n");
  return text;
}

std::string LanguageName(const std::string& code) {
  const LanguageInfo* found = FindLanguage(code);
  return std::string(found == nullptr ? "?" : found->name);
}

std::string ClassOf(const MixLine& line) { return std::string(ResourceClassName(line.resources)); }

// ---- JSON

Json ToJson(const MixLine& line) {
  Json json;
  if (!line.source.empty()) json["source"] = line.source;
  if (!line.language.empty()) json["language"] = line.language;
  if (!line.template_id.empty()) json["template_id"] = line.template_id;
  json["resource_class"] = ClassOf(line);
  json["leaves"] = line.leaves;
  json["examples"] = line.examples;
  if (line.dropped > 0) json["dropped"] = line.dropped;
  json["share"] = line.share;
  json["seen"] = line.seen;
  json["epochs"] = line.epochs();
  json["repeats"] = line.repeats;
  json["truncated"] = line.cut_share();
  json["source_tokens_per_epoch"] = line.source_tokens;
  json["target_tokens_per_epoch"] = line.target_tokens;
  json["tokens_seen"] = line.tokens_seen;
  return json;
}

Json ToJson(const std::vector<MixLine>& lines, bool has_class) {
  Json json = Json::array();
  for (const MixLine& line : lines) {
    json.push_back(ToJson(line));
    if (!has_class) json.back().erase("resource_class");
  }
  return json;
}

}  // namespace

MixReport MakeMixReport(const TrainingData& data, const config::TrainConfig& config,
                        const MixOptions& options) {
  MixReport report = {.steps = config.steps(),
                      .rows_per_step = config.batch().rows(),
                      .packing = config.data().packing()};
  PlanRows(data, options, report);
  if (report.packing) ProposeTargetLength(data, report);
  const Mixture& mixture = data.mixture();
  for (size_t i = 0; i < mixture.leaves().size(); ++i) {
    report.leaves.push_back(LineOfLeaf(mixture.leaves()[i], data.built().leaves[i],
                                       data.rows().options().limits, report.examples));
    Add(report.leaves.back(), report.total);
  }
  report.datasets =
      SumBy(report.leaves, [](const MixLine& leaf, MixLine& sum) { sum.source = leaf.source; });
  report.languages = SumBy(report.leaves, [](const MixLine& leaf, MixLine& sum) {
    sum.language = CanonicalLanguage(leaf.language);
    sum.resources = leaf.resources;
  });
  report.classes = SumBy(report.leaves,
                         [](const MixLine& leaf, MixLine& sum) { sum.resources = leaf.resources; });
  const Stream& stream = data.rows().stream();
  const auto windows =
      static_cast<uint64_t>(std::ceil(report.examples / static_cast<double>(stream.window())));
  report.templates = TemplatesOfMixture(data);
  report.warnings = Warnings(report, options, stream.CountsBefore(std::max<uint64_t>(windows, 1)));
  report.tree = data.built().tree;
  report.pruning = PruningOf(data.built().pruning);
  return report;
}

std::string TreeText(const MixReport& report, size_t max_children) {
  return report.tree.has_value() ? FormatTree(*report.tree, max_children) : "";
}

std::string FormatMixReport(const MixReport& report, size_t most) {
  std::string text = absl::StrFormat(
      "  %s steps of %s rows: %s examples, %.2f a row; %s tokens\n", WithThousands(report.steps),
      WithThousands(report.rows_per_step), ShortNumber(report.examples), report.examples_per_row,
      ShortNumber(report.total.tokens_seen));
  absl::StrAppendFormat(
      &text,
      "  rows%s filled %s (source, %d tokens) and %s (target, %d tokens), from %d windows\n\n",
      report.packing ? "" : ", not packed,", Percent(report.rows.source_fill()),
      report.rows.row_limits.source, Percent(report.rows.target_fill()),
      report.rows.row_limits.target, report.sampled_windows);
  if (report.proposed_target_length > 0 &&
      report.proposed_target_length != report.rows.row_limits.target) {
    absl::StrAppendFormat(
        &text,
        "  target_length %d would leave less room empty: %s of both sides filled, now %s\n\n",
        report.proposed_target_length, Percent(report.proposed_fill), Percent(report.fill));
  }
  // A tree is wide as well as deep: a third of the lines that a table has for every node.
  if (report.tree.has_value()) absl::StrAppend(&text, TreeText(report, most / 3 + 1), "\n");
  absl::StrAppend(&text, Table({"leaf", "language"}, report.leaves, most, [](const MixLine& line) {
    return Cells{absl::StrCat(line.source, line.template_id.empty() ? "" : " / ", line.template_id),
                 line.language};
  }));
  absl::StrAppend(&text, "\n", Table({"dataset"}, report.datasets, most, [](const MixLine& line) {
    return Cells{line.source};
  }));
  absl::StrAppend(
      &text, "\n",
      Table({"language", "name", "class"}, report.languages, most, [](const MixLine& line) {
        return Cells{line.language, LanguageName(line.language), ClassOf(line)};
      }));
  absl::StrAppend(&text, "\n", Table({"class"}, report.classes, most, [](const MixLine& line) {
    return Cells{ClassOf(line)};
  }));
  if (!report.pruning.empty()) {
    absl::StrAppend(&text, "\n", PruningTable(report.pruning, most));
  }
  if (!report.templates.empty()) {
    absl::StrAppend(&text, "\n", TemplateTable(report.templates, most));
  }
  if (!report.warnings.empty()) absl::StrAppend(&text, "\n");
  for (const std::string& warning : report.warnings) {
    absl::StrAppend(&text, "  warning: ", warning, "\n");
  }
  return text;
}

std::string MixReportToJson(const MixReport& report) {
  Json json;
  json["steps"] = report.steps;
  json["rows_per_step"] = report.rows_per_step;
  json["examples"] = report.examples;
  json["packing"] = {{"packed", report.packing},
                     {"windows", report.sampled_windows},
                     {"examples_per_row", report.examples_per_row},
                     {"source_length", report.rows.row_limits.source},
                     {"target_length", report.rows.row_limits.target},
                     {"proposed_target_length", report.proposed_target_length},
                     {"filled", report.fill},
                     {"filled_as_proposed", report.proposed_fill},
                     {"source_filled", report.rows.source_fill()},
                     {"target_filled", report.rows.target_fill()}};
  json["total"] = ToJson(report.total);
  json["total"].erase("resource_class");
  json["leaves"] = ToJson(report.leaves, true);
  json["datasets"] = ToJson(report.datasets, false);
  json["languages"] = ToJson(report.languages, true);
  json["resource_classes"] = ToJson(report.classes, true);
  for (const MixPruning& line : report.pruning) {
    json["pruning"].push_back({{"source", line.source},
                               {"node", line.node},
                               {"rule", line.rule},
                               {"kind", line.kind},
                               {"seen", line.seen},
                               {"dropped", line.dropped},
                               {"ledger", line.ledger}});
  }
  for (const MixTemplate& line : report.templates) {
    json["templates"].push_back({{"source", line.source},
                                 {"template", line.label},
                                 {"rows", line.rows},
                                 {"share", line.share}});
  }
  json["warnings"] = report.warnings;
  json["tree"] = TreeText(report, kAllChildren);
  return json.dump(2) + "\n";
}

}  // namespace frond
