#include "launch/mixture_builder.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "configs/mixture_sources.h"
#include "core/base/name_list.h"
#include "core/base/status_macros.h"
#include "launch/source_rows.h"
#include "launch/source_templates.h"

namespace frond {
namespace {

// Of those that a message is about.
constexpr size_t kNamedLeaves = 5;

using Kind = WeightRule::Kind;
using Unit = config::Weighting::Unit;

SizeUnit UnitOf(Unit unit) {
  switch (unit) {
    case config::Weighting::TOKENS:
      return SizeUnit::kTokens;
    case config::Weighting::CHARACTERS:
      return SizeUnit::kCharacters;
    case config::Weighting::EXAMPLES:
      break;
  }
  return SizeUnit::kExamples;
}

WeightRule RuleOf(const config::Weighting& weighting, Kind otherwise) {
  WeightRule rule = {.kind = otherwise, .unit = UnitOf(weighting.unit())};
  switch (weighting.rule_case()) {
    case config::Weighting::kLiteral:
      rule.kind = Kind::kLiteral;
      rule.others = weighting.literal().others();
      for (const config::NamedWeight& weight : weighting.literal().weight()) {
        rule.weights.emplace_back(weight.name(), weight.weight());
      }
      break;
    case config::Weighting::kProportional:
      rule.kind = Kind::kProportional;
      break;
    case config::Weighting::kTemperature:
      rule.kind = Kind::kTemperature;
      rule.temperature = weighting.temperature().has_alpha()
                             ? 1 / weighting.temperature().alpha()
                             : weighting.temperature().temperature();
      break;
    case config::Weighting::kExamplesProportional: {
      const config::ExamplesProportional& numbers = weighting.examples_proportional();
      rule.kind = Kind::kExamplesProportional;
      rule.examples_proportional = {.scale = numbers.scale(),
                                    .maximum = numbers.maximum(),
                                    .temperature = numbers.temperature()};
      break;
    }
    case config::Weighting::kUnimax:
      rule.kind = Kind::kUniMax;
      rule.budget = weighting.unimax().budget();
      rule.max_epochs = weighting.unimax().max_epochs();
      break;
    case config::Weighting::RULE_NOT_SET:
      break;
  }
  return rule;
}

ShareLimit::Each EachOf(config::Limit::Each each) {
  switch (each) {
    case config::Limit::LANGUAGE:
      return ShareLimit::Each::kLanguage;
    case config::Limit::DATASET:
      return ShareLimit::Each::kDataset;
    case config::Limit::RESOURCE_CLASS:
      return ShareLimit::Each::kResourceClass;
    case config::Limit::DATASET_LANGUAGE:
      return ShareLimit::Each::kDatasetLanguage;
    case config::Limit::LEAF:
      return ShareLimit::Each::kLeaf;
    case config::Limit::ALL:
      break;
  }
  return ShareLimit::Each::kAll;
}

ShareLimit LimitOf(const config::Limit& limit, const std::string& group) {
  const auto optional = [](bool has, double value) {
    return has ? std::optional<double>(value) : std::nullopt;
  };
  return {.group = limit.has_group() ? limit.group() : group,
          .dataset = limit.dataset(),
          .language = limit.language(),
          .resource_class = limit.resource_class(),
          .template_id = limit.template_id(),
          .each = EachOf(limit.each()),
          .min_share = optional(limit.has_min_share(), limit.min_share()),
          .max_share = optional(limit.has_max_share(), limit.max_share()),
          .min_examples = optional(limit.has_min_examples(), limit.min_examples()),
          .max_examples = optional(limit.has_max_examples(), limit.max_examples()),
          .max_epochs = optional(limit.has_max_epochs(), limit.max_epochs())};
}

// Whether any rule of a tree counts in `unit`.
bool Counts(const config::Mixture& group, Unit unit) {
  if (group.weighting().unit() == unit || group.across_languages().unit() == unit) return true;
  for (const config::Dataset& dataset : group.dataset()) {
    if (dataset.languages().unit() == unit || dataset.templates().unit() == unit) return true;
  }
  for (const config::Mixture& child : group.group()) {
    if (Counts(child, unit)) return true;
  }
  return false;
}

// Characters of every token's text. A piece's space mark counts as a space; byte pieces, "<0xE4>",
// count where they begin a character; control pieces are no text.
std::vector<int32_t> CharactersOfTokens(const Tokenizer& tokenizer) {
  std::vector<int32_t> characters(static_cast<size_t>(tokenizer.vocab_size()));
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    const std::string& piece = tokenizer.piece(id);
    const bool is_byte = piece.size() == 6 && piece.compare(0, 3, "<0x") == 0 && piece[5] == '>';
    int32_t count = 0;
    if (is_byte) {
      count = (std::stoi(piece.substr(3, 2), nullptr, 16) & 0xC0) != 0x80 ? 1 : 0;
    } else if (id != tokenizer.pad_id() && id != tokenizer.eos_id()) {
      for (const char c : piece) count += (c & 0xC0) != 0x80 ? 1 : 0;
    }
    characters[static_cast<size_t>(id)] = id == tokenizer.unk_id() ? 1 : count;
  }
  return characters;
}

std::vector<std::string> EmptiedLeaves(const BuiltMixture& built,
                                       const std::vector<LeafInfo>& leaves) {
  std::vector<std::string> names;
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (leaves[i].num_examples > 0 || built.leaves[i].dropped == 0) continue;
    names.push_back(LeafName(leaves[i].source, leaves[i].language, leaves[i].template_id));
  }
  return names;
}

class Builder {
 public:
  Builder(const config::TrainConfig& config, const Tokenizer& tokenizer, int threads)
      : config_(config),
        tokenizer_(tokenizer),
        threads_(threads),
        counts_tokens_(Counts(config.data().mixture(), config::Weighting::TOKENS)),
        counts_characters_(Counts(config.data().mixture(), config::Weighting::CHARACTERS)) {
    if (counts_characters_) characters_of_ = CharactersOfTokens(tokenizer);
  }

  absl::StatusOr<BuiltMixture> FromList() {
    std::vector<SourceInfo> sources;
    for (const config::Source& source : config_.data().source()) {
      ASSIGN_OR_RETURN(const TokenCache* cache, Open(source));
      SourceInfo info = {
          .name = source.name(), .weight = source.weight(), .content_hash = cache->content_hash()};
      for (int32_t l = 0; l < static_cast<int32_t>(cache->languages().size()); ++l) {
        const std::span<const uint32_t> examples = cache->examples_of_language(l);
        info.languages.push_back({cache->languages()[l], examples.size()});
        built_.leaves.push_back({cache, examples});
      }
      sources.push_back(std::move(info));
    }
    ASSIGN_OR_RETURN(Mixture mixture, Mixture::Create(sources));
    built_.mixture = std::make_unique<Mixture>(std::move(mixture));
    return std::move(built_);
  }

  absl::StatusOr<BuiltMixture> FromTree() {
    const config::Mixture& root = config_.data().mixture();
    tree_.examples = root.examples();
    const std::vector<bool> pruned = PrunedDatasets(config_.data());
    for (const config::Source* source : SourcesOf(config_.data())) {
      RETURN_IF_ERROR(Open(*source, pruned[built_.caches.size()]).status());
    }
    ASSIGN_OR_RETURN(built_.pruning, TreePruning::Run(config_.data(), built_.caches, threads_));
    ASSIGN_OR_RETURN(tree_.root, Group(root, /*is_root=*/true));
    ASSIGN_OR_RETURN(ResolvedTree resolved, Resolve());
    for (size_t i = 0; i < leaves_.size(); ++i) leaves_[i].probability = resolved.probabilities[i];
    std::vector<uint64_t> contents;
    for (const auto& cache : built_.caches) contents.push_back(cache->content_hash());
    for (size_t i = 0; i < built_.caches.size(); ++i) {
      if (built_.pruning.IsPruned(i)) contents.push_back(built_.pruning.LeftHash(i));
    }
    ASSIGN_OR_RETURN(Mixture mixture, Mixture::FromLeaves(std::move(leaves_), contents));
    built_.mixture = std::make_unique<Mixture>(std::move(mixture));
    built_.tree = std::move(resolved);
    return std::move(built_);
  }

 private:
  absl::StatusOr<const TokenCache*> Open(const config::Source& source, bool pruned = false) {
    ASSIGN_OR_RETURN(auto cache,
                     OpenSource(source, config_.data().cache_dir(), tokenizer_, threads_, pruned));
    // A template may have nothing to say of a row, and two languages make two examples of it.
    std::optional<int64_t> rows;
    if (cache->templates().empty()) rows = cache->num_examples();
    ASSIGN_OR_RETURN(auto ledgers, FindSourceLedgers(source, cache->files(), rows));
    built_.source_ledgers.push_back(std::move(ledgers));
    built_.caches.push_back(std::move(cache));
    return built_.caches.back().get();
  }

  // A leaf that must be drawn from and has lost all its rows is the rules' doing.
  absl::StatusOr<ResolvedTree> Resolve() const {
    absl::StatusOr<ResolvedTree> resolved = ResolveTree(tree_);
    const std::vector<std::string> emptied = EmptiedLeaves(built_, leaves_);
    if (resolved.ok() || emptied.empty()) return resolved;
    return absl::Status(
        resolved.status().code(),
        absl::StrCat(std::string(resolved.status().message()), " (pruning dropped all rows of ",
                     NameList(emptied, kNamedLeaves), ")"));
  }

  absl::StatusOr<MixtureNode> Group(const config::Mixture& group, bool is_root) {
    MixtureNode node = {.name = group.name(), .level = TreeLevel::kGroup};
    if (group.has_weight()) node.weight = group.weight();
    node.rule = RuleOf(group.weighting(), Kind::kLiteral);
    if (group.has_across_languages()) {
      node.across_languages = RuleOf(group.across_languages(), Kind::kProportional);
    }
    for (const config::Mixture& child : group.group()) {
      ASSIGN_OR_RETURN(MixtureNode below, Group(child, /*is_root=*/false));
      node.children.push_back(std::move(below));
    }
    for (const config::Dataset& dataset : group.dataset()) {
      ASSIGN_OR_RETURN(MixtureNode below, Dataset(dataset));
      node.children.push_back(std::move(below));
    }
    for (const config::Limit& limit : group.limit()) {
      tree_.limits.push_back(LimitOf(limit, is_root ? "" : group.name()));
    }
    return node;
  }

  absl::StatusOr<MixtureNode> Dataset(const config::Dataset& dataset) {
    const size_t number = next_dataset_++;
    const TokenCache* cache = built_.caches[number].get();
    MixtureNode node = {.name = dataset.source().name(), .level = TreeLevel::kDataset};
    node.weight = dataset.source().weight();
    node.rule = RuleOf(dataset.languages(), Kind::kProportional);
    for (int32_t l = 0; l < static_cast<int32_t>(cache->languages().size()); ++l) {
      MixtureNode language = {.name = cache->languages()[l], .level = TreeLevel::kLanguage};
      const std::span<const uint32_t> all = cache->examples_of_language(l);
      LeafExamples whole = {cache, all};
      if (built_.pruning.IsPruned(number)) whole.examples = built_.pruning.Left(number, l);
      whole.dropped = all.size() - whole.examples.size();
      if (dataset.has_templates()) {
        language.rule = RuleOf(dataset.templates(), Kind::kProportional);
        SplitByTemplate(whole, all, node.name, language);
      } else {
        language.size = AddLeaf(whole, {node.name, language.name});
      }
      node.children.push_back(std::move(language));
    }
    return node;
  }

  // `all` are the language's examples before pruning.
  void SplitByTemplate(const LeafExamples& whole, std::span<const uint32_t> all,
                       const std::string& source, MixtureNode& language) {
    std::map<std::string, std::vector<uint32_t>> examples_of;
    std::map<std::string, uint64_t> dropped_of;
    size_t kept = 0;
    for (const uint32_t example : all) {
      const bool is_kept = kept < whole.examples.size() && whole.examples[kept] == example;
      kept += is_kept;
      const TokenCache::Variants variants = whole.cache->variants(example);
      for (int64_t v = variants.begin; v < variants.begin + variants.count; ++v) {
        const std::string& template_id = whole.cache->template_id(v);
        std::vector<uint32_t>& examples = examples_of[template_id];
        if (is_kept) {
          examples.push_back(static_cast<uint32_t>(v));
        } else {
          ++dropped_of[template_id];
        }
      }
    }
    for (auto& [template_id, examples] : examples_of) {
      built_.split_by_template.push_back(
          std::make_unique<const std::vector<uint32_t>>(std::move(examples)));
      MixtureNode node = {.name = template_id, .level = TreeLevel::kTemplate};
      LeafInfo info = {.source = source, .language = language.name};
      info.template_id = template_id;
      node.size = AddLeaf({.cache = whole.cache,
                           .examples = *built_.split_by_template.back(),
                           .dropped = dropped_of[template_id],
                           .by_template = true},
                          std::move(info));
      language.children.push_back(std::move(node));
    }
  }

  // Of both sides of a variant.
  int64_t CharactersOf(const TokenCache& cache, int64_t variant) const {
    int64_t characters = 0;
    for (const std::span<const int32_t> ids : {cache.source(variant), cache.target(variant)}) {
      for (const int32_t id : ids) characters += characters_of_[static_cast<size_t>(id)];
    }
    return characters;
  }

  TreeSize AddLeaf(const LeafExamples& leaf, LeafInfo info) {
    info.num_examples = leaf.examples.size();
    TreeSize size;
    size.examples = static_cast<double>(leaf.examples.size());
    built_.leaves.push_back(leaf);
    leaves_.push_back(std::move(info));
    if (!counts_tokens_ && !counts_characters_) return size;
    for (const uint32_t example : leaf.examples) {
      // Variants are seen equally often.
      const TokenCache::Variants variants = leaf.VariantsOf(example);
      double tokens = 0, characters = 0;
      for (int64_t v = variants.begin; v < variants.begin + variants.count; ++v) {
        if (counts_tokens_) tokens += leaf.cache->source_length(v) + leaf.cache->target_length(v);
        if (counts_characters_) characters += static_cast<double>(CharactersOf(*leaf.cache, v));
      }
      size.tokens += tokens / static_cast<double>(variants.count);
      size.characters += characters / static_cast<double>(variants.count);
    }
    return size;
  }

  const config::TrainConfig& config_;
  const Tokenizer& tokenizer_;
  const int threads_;
  const bool counts_tokens_, counts_characters_;
  std::vector<int32_t> characters_of_;
  size_t next_dataset_ = 0;  // as TreePruning numbers them
  MixtureTree tree_;
  std::vector<LeafInfo> leaves_;
  BuiltMixture built_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const TokenCache>> OpenSource(const config::Source& source,
                                                             const std::string& cache_dir,
                                                             const Tokenizer& tokenizer,
                                                             int threads,
                                                             bool allow_empty_targets) {
  ASSIGN_OR_RETURN(const auto templates, TemplatesOf(source));
  TokenCacheOptions options = {
      .name = source.name(),
      .paths = {source.path().begin(), source.path().end()},
      .target_paths = {source.target_path().begin(), source.target_path().end()},
      .layout = RowLayoutOf(source),
      .templates = templates,
      .cache_dir = cache_dir,
      .threads = threads};
  options.layout.allow_empty_targets = allow_empty_targets;
  return TokenCache::OpenOrBuild(options, tokenizer);
}

absl::StatusOr<BuiltMixture> BuildMixture(const config::TrainConfig& config,
                                          const Tokenizer& tokenizer, int threads) {
  Builder builder(config, tokenizer, threads);
  return config.data().has_mixture() ? builder.FromTree() : builder.FromList();
}

}  // namespace frond
