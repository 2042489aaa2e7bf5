#include "mixtures/pruning/ledger.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/human_numbers.h"
#include "core/base/philox.h"
#include "core/base/text_table.h"
#include "mixtures/pruning/json_items.h"
#include "mixtures/pruning/ledger_file.h"

namespace frond {
namespace {

using Json = nlohmann::ordered_json;
constexpr size_t kLanguagesShown = 15;

// `pruned`: not an evaluation set.
Json SourceJson(const SourceRecord& source, bool pruned) {
  Json json = {{"name", source.name}, {"rows", source.rows}};
  if (source.gone_before > 0) json["dropped_before"] = source.gone_before;
  if (pruned) json["kept"] = source.kept;
  if (!source.output.empty()) {
    json["output"] = source.output;
    json["output_hash"] = HashToHex(source.output_hash);
  }
  for (const SourceRecord::File& file : source.files) {
    json["files"].push_back(
        {{"name", BaseName(*file.path)}, {"rows", file.rows}, {"hash", HashToHex(file.hash)}});
  }
  return json;
}

std::string Share(int64_t part, int64_t whole) {
  return whole > 0 ? Percent(static_cast<double>(part) / static_cast<double>(whole)) : "-";
}

}  // namespace

void SourceRecord::AddRow(const std::string& path, absl::string_view line) {
  ++rows;
  if (files.empty() || files.back().path != &path) files.push_back({.path = &path});
  ++files.back().rows;
  files.back().hash = SeededHash64(line, files.back().hash);
}

Ledger::Ledger(const std::vector<RuleOptions>& rules, bool list_hashes)
    : rules_(rules), list_hashes_(list_hashes) {}

int Ledger::LeafOf(int source, const std::string& source_name, const Example& example) {
  const std::string& dataset = example.dataset_name.empty() ? source_name : example.dataset_name;
  const std::string number = absl::StrCat(source);
  // JSON strings may hold any character: lengths keep the parts apart.
  key_ = absl::StrCat(number, "\n", dataset.size(), "\n", dataset, example.language.size(), "\n",
                      example.language, example.template_id);
  const auto [entry, is_new] = index_.try_emplace(key_, static_cast<int>(leaves_.size()));
  if (is_new) {
    leaves_.push_back({.source = source,
                       .source_name = source_name,
                       .dataset = dataset,
                       .language = example.language,
                       .template_id = example.template_id,
                       .counts = std::vector<Count>(rules_.size())});
  }
  return entry->second;
}

void Ledger::AddDropped(int leaf, int rule, uint64_t row_hash) {
  Count& count = At(leaf, rule);
  ++count.dropped;
  count.digest = MixBits(count.digest ^ row_hash);
  if (list_hashes_) count.hashes.push_back(row_hash);
}

std::vector<std::string> Ledger::Languages() const {
  std::set<std::string> names;
  for (const Leaf& leaf : leaves_) names.insert(leaf.language);
  return {names.begin(), names.end()};
}

std::vector<std::string> Ledger::Datasets() const {
  std::set<std::string> names;
  for (const Leaf& leaf : leaves_) {
    names.insert(leaf.dataset);
    names.insert(leaf.source_name);
  }
  return {names.begin(), names.end()};
}

int64_t Ledger::dropped(int rule) const {
  int64_t sum = 0;
  for (const Leaf& leaf : leaves_) sum += leaf.counts[static_cast<size_t>(rule)].dropped;
  return sum;
}

Ledger::RuleCount Ledger::CountOf(int rule, int source) const {
  RuleCount count;
  for (const Leaf& leaf : leaves_) {
    if (leaf.source != source) continue;
    count.seen += leaf.counts[static_cast<size_t>(rule)].seen;
    count.dropped += leaf.counts[static_cast<size_t>(rule)].dropped;
  }
  return count;
}

std::vector<const Ledger::Leaf*> Ledger::SortedLeaves() const {
  std::vector<const Leaf*> sorted;
  for (const Leaf& leaf : leaves_) sorted.push_back(&leaf);
  std::sort(sorted.begin(), sorted.end(), [](const Leaf* a, const Leaf* b) {
    return std::tie(a->source, a->dataset, a->language, a->template_id) <
           std::tie(b->source, b->dataset, b->language, b->template_id);
  });
  return sorted;
}

std::string Ledger::Body(const Facts& facts, bool list_hashes) const {
  std::vector<Json> rules, sources, evaluation, leaves, entries;
  for (const RuleOptions& rule : rules_) {
    rules.push_back({{"name", rule.name}, {"kind", rule.kind}, {"settings", rule.settings}});
  }
  for (const SourceRecord& source : facts.sources) sources.push_back(SourceJson(source, true));
  for (const SourceRecord& set : facts.evaluation) evaluation.push_back(SourceJson(set, false));
  const std::vector<const Leaf*> sorted = SortedLeaves();
  const auto named = [](const Leaf& leaf) {
    return Json{{"source", leaf.source_name},
                {"dataset", leaf.dataset},
                {"language", leaf.language},
                {"template", leaf.template_id}};
  };
  for (const Leaf* leaf : sorted) {
    leaves.push_back(named(*leaf));
    leaves.back()["rows"] = leaf->rows;
    leaves.back()["kept"] = leaf->kept;
  }
  for (size_t r = 0; r < rules_.size(); ++r) {
    for (const Leaf* leaf : sorted) {
      const Count& count = leaf->counts[r];
      if (count.seen == 0) continue;
      Json entry = {{"rule", rules_[r].name}};
      entry.update(named(*leaf));
      entry["seen"] = count.seen;
      entry["kept"] = count.seen - count.dropped;
      entry["dropped"] = count.dropped;
      entry["digest"] = HashToHex(count.digest);
      if (list_hashes) {
        for (const uint64_t hash : count.hashes) entry["rows"].push_back(HashToHex(hash));
      }
      entries.push_back(std::move(entry));
    }
  }
  std::string text = absl::StrCat("\"seed\": ", facts.seed, ",\n");
  AppendJsonItems("rules", rules, false, &text);
  AppendJsonItems("sources", sources, false, &text);
  AppendJsonItems("evaluation", evaluation, false, &text);
  AppendJsonItems("leaves", leaves, false, &text);
  AppendJsonItems("entries", entries, true, &text);
  return text;
}

std::string Ledger::HashOf(const Facts& facts) const {
  return HashToHex(Hash64(Body(facts, /*list_hashes=*/false)));
}

std::string Ledger::ToJson(const Facts& facts) const {
  return LedgerText(HashOf(facts), Body(facts, list_hashes_));
}

std::string Ledger::ToTable(const Facts& facts) const {
  constexpr TextTable::Align kLeft = TextTable::Align::kLeft;
  TextTable rules({{"rule", kLeft}, {"kind", kLeft}, {"seen"}, {"dropped"}, {"share"}});
  for (size_t r = 0; r < rules_.size(); ++r) {
    int64_t seen = 0;
    for (const Leaf& leaf : leaves_) seen += leaf.counts[r].seen;
    const int64_t gone = dropped(static_cast<int>(r));
    rules.AddRow({rules_[r].name, rules_[r].kind, WithThousands(seen), WithThousands(gone),
                  Share(gone, seen)});
  }
  TextTable sources({{"source", kLeft}, {"rows"}, {"kept"}, {"share"}});
  for (const SourceRecord& source : facts.sources) {
    sources.AddRow({source.name, WithThousands(source.rows), WithThousands(source.kept),
                    Share(source.kept, source.rows)});
  }
  std::map<std::string, std::pair<int64_t, int64_t>> languages;  // rows, kept
  for (const Leaf& leaf : leaves_) {
    languages[leaf.language].first += leaf.rows;
    languages[leaf.language].second += leaf.kept;
  }
  std::vector<std::tuple<double, std::string>> losers;
  for (const auto& [language, counts] : languages) {
    losers.emplace_back(static_cast<double>(counts.second) / static_cast<double>(counts.first),
                        language);
  }
  std::sort(losers.begin(), losers.end());
  TextTable lost({{"language", kLeft}, {"rows"}, {"kept"}, {"share"}});
  for (size_t i = 0; i < std::min(losers.size(), kLanguagesShown); ++i) {
    const auto& [rows, kept] = languages[std::get<1>(losers[i])];
    lost.AddRow(
        {std::get<1>(losers[i]), WithThousands(rows), WithThousands(kept), Share(kept, rows)});
  }
  return absl::StrCat(rules.ToString(), "\n", sources.ToString(), "\nLanguages that lost most (",
                      std::min(losers.size(), kLanguagesShown), " of ", losers.size(), "):\n",
                      lost.ToString());
}

}  // namespace frond
