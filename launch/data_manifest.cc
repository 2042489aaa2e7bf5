#include "launch/data_manifest.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "configs/mixture_sources.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/status_macros.h"
#include "launch/run_checkpoint.h"
#include "mixtures/apportionment.h"
#include "mixtures/pruning/json_items.h"

namespace frond {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kFormat[] = "frond data manifest";
// Of differences of one kind.
constexpr size_t kShown = 4;
constexpr double kShareTolerance = 1e-9;  // relative

Json SettingsOf(const config::TrainConfig& config) {
  const config::Data& data = config.data();
  return {{"seed", config.seed()},
          {"batch.rows", config.batch().rows()},
          {"data.source_length", data.source_length()},
          {"data.target_length", data.target_length()},
          {"data.packing", data.packing()},
          {"data.window", data.window()}};
}

// How rows are read: the source without its name, its place and its weight, which shares show.
std::string ReadingOf(const config::Source& source) {
  config::Source bare = source;
  bare.clear_name();
  bare.clear_path();
  bare.clear_target_path();
  bare.clear_weight();
  bare.clear_ledger();
  // They are listed by their names; what they say is in the content.
  bare.clear_template_();
  bare.clear_template_file();
  return bare.ShortDebugString();
}

std::vector<Json> SourcesJson(const config::TrainConfig& config, const BuiltMixture& built) {
  std::vector<Json> sources;
  const std::vector<const config::Source*> configured = SourcesOf(config.data());
  for (size_t i = 0; i < configured.size(); ++i) {
    const TokenCache& cache = *built.caches[i];
    Json source = {{"name", configured[i]->name()}, {"files", Json::array()}};
    for (const std::string& file : cache.files()) source["files"].push_back(BaseName(file));
    source["examples"] = cache.num_examples();
    source["content"] = HashToHex(cache.content_hash());
    source["reading"] = ReadingOf(*configured[i]);
    source["templates"] = cache.templates();
    source["ledgers"] = Json::array();
    for (const SourceLedger& ledger : built.source_ledgers[i]) {
      source["ledgers"].push_back(ledger.hash);
    }
    sources.push_back(std::move(source));
  }
  return sources;
}

std::vector<Json> PruningJson(const TreePruning& pruning) {
  std::vector<Json> nodes;
  for (const auto& node : pruning.nodes()) {
    Json json = {{"name", node->name()}, {"ledger", node->ledger_hash()}};
    for (size_t r = 0; r < node->rules().size(); ++r) {
      Json rule = {{"name", node->rules()[r].name}, {"settings", node->rules()[r].settings}};
      for (const KeptRows::SourceSummary& source : node->sources()) {
        rule["dropped"][source.name] = source.dropped[r];
      }
      json["rules"].push_back(std::move(rule));
    }
    nodes.push_back(std::move(json));
  }
  return nodes;
}

std::vector<Json> LeavesJson(const Mixture& mixture) {
  std::vector<Json> leaves;
  for (size_t i = 0; i < mixture.leaves().size(); ++i) {
    const LeafInfo& leaf = mixture.leaves()[i];
    leaves.push_back({{"source", leaf.source},
                      {"language", leaf.language},
                      {"template", leaf.template_id},
                      {"examples", leaf.num_examples},
                      {"share", mixture.shares()[i]}});
  }
  return leaves;
}

// ---- Comparison

using Items = std::vector<std::pair<std::string, const Json*>>;
using Described = std::vector<std::string>;  // what differs between two items of one name

// The elements of a list, each with the name that `name` gives it.
template <class Name>
Items NamedItems(const Json& list, const Name& name) {
  Items items;
  for (const Json& item : list) items.emplace_back(name(item), &item);
  return items;
}

// Differences of two lists by the names of their items.
template <class Describe>
void CompareLists(absl::string_view what, const Items& saved, const Items& now,
                  const Describe& describe, std::vector<std::string>& lines) {
  std::vector<std::string> found;
  const std::map<std::string, const Json*> now_by_name(now.begin(), now.end());
  const std::map<std::string, const Json*> saved_by_name(saved.begin(), saved.end());
  for (const auto& [name, item] : saved) {
    const auto other = now_by_name.find(name);
    if (other == now_by_name.end()) {
      found.push_back(absl::StrCat(what, " ", name, " is gone"));
      continue;
    }
    const Described differences = describe(*item, *other->second);
    if (differences.empty()) continue;
    found.push_back(absl::StrCat(what, " ", name, ": ", absl::StrJoin(differences, ", ")));
  }
  for (const auto& [name, item] : now) {
    if (saved_by_name.count(name) == 0) found.push_back(absl::StrCat(what, " ", name, " is new"));
  }
  for (size_t i = 0; i < std::min(found.size(), kShown); ++i) lines.push_back(found[i]);
  if (found.size() > kShown) {
    lines.push_back(
        absl::StrCat("and ", found.size() - kShown, " more differences of this kind (", what, ")"));
  }
}

std::string Bare(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array() && value.empty()) return "none";
  if (!value.is_array()) return JsonLine(value);
  std::vector<std::string> parts;
  for (const Json& part : value) parts.push_back(Bare(part));
  return absl::StrJoin(parts, " ");
}

// What a manifest of before did not hold is no difference.
void CompareField(const char* field, const Json& saved, const Json& now, Described& out) {
  if (!saved.contains(field)) return;
  if (saved.at(field) == now.at(field)) return;
  out.push_back(absl::StrCat(field, " ", Bare(saved.at(field)), " -> ", Bare(now.at(field))));
}

Described CompareSources(const Json& saved, const Json& now) {
  Described found;
  for (const char* field : {"examples", "content", "reading", "templates", "ledgers"}) {
    CompareField(field, saved, now, found);
  }
  // Files may be called otherwise, but where the content differs their names may say why.
  if (saved.at("content") != now.at("content")) CompareField("files", saved, now, found);
  return found;
}

Described CompareRules(const Json& saved, const Json& now) {
  Described found;
  CompareField("settings", saved, now, found);
  for (const auto& [source, dropped] : saved.at("dropped").items()) {
    if (!now.at("dropped").contains(source) || now.at("dropped").at(source) == dropped) continue;
    found.push_back(absl::StrCat("dropped of ", source, " ", JsonLine(dropped), " -> ",
                                 JsonLine(now.at("dropped").at(source))));
  }
  return found;
}

Described CompareLeaves(const Json& saved, const Json& now) {
  Described found;
  CompareField("examples", saved, now, found);
  // Sums that round otherwise move a share by a few units of 2^-62: nothing that anyone did.
  const auto before = saved.at("share").get<double>(), after = now.at("share").get<double>();
  if (std::abs(before - after) > kShareTolerance * std::max(before, after)) {
    const auto percent = [](double share) {
      return absl::StrFormat("%.6g%%", 100 * std::ldexp(share, -kShareBits));
    };
    found.push_back(absl::StrCat("share ", percent(before), " -> ", percent(after)));
  }
  return found;
}

std::string NameOf(const Json& item) { return item.at("name").get<std::string>(); }

std::string LeafNameOf(const Json& leaf) {
  const auto text = [&leaf](const char* field) { return leaf.at(field).get<std::string>(); };
  return LeafName(text("source"), text("language"), text("template"));
}

void ComparePruning(const Json& saved, const Json& now, std::vector<std::string>& lines) {
  const Items before = NamedItems(saved, NameOf), after = NamedItems(now, NameOf);
  const auto ledger = [](const Json& a, const Json& b) {
    Described found;
    CompareField("ledger", a, b, found);
    return found;
  };
  CompareLists("pruning of", before, after, ledger, lines);
  const std::map<std::string, const Json*> by_name(after.begin(), after.end());
  for (const auto& [name, node] : before) {
    const auto other = by_name.find(name);
    if (other == by_name.end()) continue;
    CompareLists(absl::StrCat("rule of ", name, ","), NamedItems(node->at("rules"), NameOf),
                 NamedItems(other->second->at("rules"), NameOf), CompareRules, lines);
  }
}

std::set<std::string> LedgersOf(const Json& manifest) {
  std::set<std::string> ledgers;
  for (const Json& node : manifest.at("pruning")) ledgers.insert(node.at("ledger"));
  for (const Json& source : manifest.at("sources")) {
    for (const Json& ledger : source.at("ledgers")) ledgers.insert(ledger);
  }
  return ledgers;
}

absl::StatusOr<Json> Parse(absl::string_view text) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object() || !json.contains("format") ||
      json["format"] != kFormat) {
    return absl::DataLossError("the checkpoint's data manifest cannot be read");
  }
  return json;
}

ManifestDifference Compare(const Json& saved, const Json& now) {
  ManifestDifference difference = {.lines = {}, .ledgers = LedgersOf(saved) != LedgersOf(now)};
  std::vector<std::string>& lines = difference.lines;
  for (const auto& [name, value] : saved.at("settings").items()) {
    const Json other = now.at("settings").value(name, Json("none"));
    if (other != value) lines.push_back(absl::StrCat(name, ": ", Bare(value), " -> ", Bare(other)));
  }
  CompareLists("source", NamedItems(saved.at("sources"), NameOf),
               NamedItems(now.at("sources"), NameOf), CompareSources, lines);
  ComparePruning(saved.at("pruning"), now.at("pruning"), lines);
  CompareLists("leaf", NamedItems(saved.at("leaves"), LeafNameOf),
               NamedItems(now.at("leaves"), LeafNameOf), CompareLeaves, lines);
  // Another tokenizer may give the same ids: then it is no difference.
  if (!lines.empty() && saved.at("tokenizer") != now.at("tokenizer")) {
    lines.push_back(absl::StrCat("tokenizer: ", Bare(saved.at("tokenizer")), " -> ",
                                 Bare(now.at("tokenizer"))));
  }
  return difference;
}

}  // namespace

std::string MakeDataManifest(const config::TrainConfig& config, const Tokenizer& tokenizer,
                             const TrainingData& data) {
  std::string text = absl::StrCat("{\n\"format\": \"", kFormat, "\",\n\"manifest_hash\": \"",
                                  HashToHex(data.mixture().manifest_hash()),
                                  "\",\n\"tokenizer\": \"", HashToHex(tokenizer.content_hash()),
                                  "\",\n\"settings\": ", JsonLine(SettingsOf(config)), ",\n");
  AppendJsonItems("sources", SourcesJson(config, data.built()), false, &text);
  AppendJsonItems("pruning", PruningJson(data.built().pruning), false, &text);
  AppendJsonItems("leaves", LeavesJson(data.mixture()), true, &text);
  return absl::StrCat(text, "}\n");
}

absl::StatusOr<ManifestDifference> CompareManifests(absl::string_view saved,
                                                    absl::string_view now) {
  ASSIGN_OR_RETURN(const Json before, Parse(saved));
  ASSIGN_OR_RETURN(const Json after, Parse(now));
  try {
    return Compare(before, after);
  } catch (const Json::exception&) {
    return absl::DataLossError("the checkpoint's data manifest lacks a field");
  }
}

absl::Status CheckSameData(const std::string& checkpoint, const TrainState& saved,
                           const TrainState& now, absl::string_view manifest) {
  const std::string file = JoinPath(checkpoint, kManifestFile);
  ManifestDifference difference;
  if (PathExists(file)) {
    ASSIGN_OR_RETURN(const std::string before, ReadFile(file));
    ASSIGN_OR_RETURN(difference, CompareManifests(before, manifest));
  }
  std::string what;
  if (saved.manifest_hash != now.manifest_hash) {
    what = absl::StrCat("was trained on another mixture (", saved.manifest_hash, ", now ",
                        now.manifest_hash,
                        "); use another work_dir, or put the sources back as they were");
  } else if (difference.ledgers) {
    what = "was trained with another ledger; use another work_dir, or put the ledger back";
  } else if (saved.config_hash != now.config_hash) {
    what =
        "was made with another seed, row lengths, packing, window, rows per step, rules or field "
        "names; use another work_dir or the old values";
  } else {
    return absl::OkStatus();
  }
  std::string text = absl::StrCat("the checkpoint ", checkpoint, " ", what);
  for (const std::string& line : difference.lines) absl::StrAppend(&text, "\n  ", line);
  return absl::FailedPreconditionError(text);
}

absl::Status SaveLedgers(const TrainingData& data, const std::string& work_dir) {
  std::map<std::string, std::string> paths;  // file name -> where it comes from
  const auto add = [&paths](const std::string& name, const std::string& hash,
                            const std::string& path) {
    paths.emplace(absl::StrCat(name, "-", hash, ".json"), path);
  };
  for (const auto& node : data.built().pruning.nodes()) {
    add(node->name(), node->ledger_hash(), node->ledger_path());
  }
  for (size_t i = 0; i < data.built().source_ledgers.size(); ++i) {
    for (const SourceLedger& ledger : data.built().source_ledgers[i]) {
      add(data.built().caches[i]->name(), ledger.hash, ledger.path);
    }
  }
  if (paths.empty()) return absl::OkStatus();
  const std::string folder = JoinPath(work_dir, "ledgers");
  RETURN_IF_ERROR(CreateDirectories(folder));
  for (const auto& [wanted, path] : paths) {
    std::string name = wanted;
    std::replace(name.begin(), name.end(), '/', '_');
    if (PathExists(JoinPath(folder, name))) continue;
    ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
    RETURN_IF_ERROR(WriteFileAtomically(JoinPath(folder, name), text));
  }
  return absl::OkStatus();
}

}  // namespace frond
