#include "launch/training_data.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "mixtures/mixture_report.h"
#include "mixtures/rank_share.h"

namespace frond {

TrainingData::TrainingData(const config::TrainConfig& config)
    : rows_per_step_(config.batch().rows()),
      micro_batches_(config.batch().micro_batches()),
      per_example_(config.loss().normalizer() == config::Loss::PER_EXAMPLE),
      limits_{.source = config.data().source_length(), .target = config.data().target_length()},
      builder_(limits_) {}

absl::StatusOr<std::unique_ptr<TrainingData>> TrainingData::Open(const config::TrainConfig& config,
                                                                 const Tokenizer& tokenizer,
                                                                 int threads) {
  std::unique_ptr<TrainingData> data(new TrainingData(config));
  ASSIGN_OR_RETURN(data->built_, BuildMixture(config, tokenizer, threads));
  std::set<std::string> languages;
  for (const auto& cache : data->built_.caches) {
    languages.insert(cache->languages().begin(), cache->languages().end());
  }
  data->languages_.assign(languages.begin(), languages.end());
  for (const LeafInfo& leaf : data->mixture().leaves()) {
    const auto found =
        std::lower_bound(data->languages_.begin(), data->languages_.end(), leaf.language);
    data->language_of_leaf_.push_back(static_cast<int32_t>(found - data->languages_.begin()));
  }
  data->NumberTemplates();
  const RowOptions options = {.limits = data->limits_, .packing = config.data().packing()};
  data->rows_ = std::make_unique<RowStream>(
      Stream(data->mixture(), config.seed(), static_cast<uint64_t>(config.data().window())),
      [raw = data.get()](const StreamExample& example) { return raw->LengthsOf(example); },
      options);
  return data;
}

TrainingData::Located TrainingData::Locate(const StreamExample& example) const {
  const LeafExamples& leaf = built_.leaves[example.leaf];
  const TokenCache::Variants variants = leaf.VariantsOf(leaf.examples[example.index_in_leaf]);
  if (variants.count == 1) return {leaf.cache, variants.begin};
  return {leaf.cache, variants.begin + rows_->stream().VariantOf(example, variants.count)};
}

void TrainingData::NumberTemplates() {
  for (const auto& cache : built_.caches) {
    if (cache->templates().empty()) continue;
    std::map<std::string, int32_t>& numbers = template_numbers_[cache.get()];
    for (const std::string& label : cache->templates()) {
      numbers.emplace(label, static_cast<int32_t>(templates_.size()));
      templates_.push_back({cache->name(), label});
    }
  }
}

int32_t TrainingData::TemplateOf(const Located& at) const {
  const auto numbers = template_numbers_.find(at.cache);
  if (numbers == template_numbers_.end()) return -1;
  return numbers->second.at(at.cache->template_id(at.variant));
}

int32_t TrainingData::TemplateOf(const StreamExample& example) const {
  return TemplateOf(Locate(example));
}

std::span<const int32_t> TrainingData::SourceOf(const StreamExample& example) const {
  const Located at = Locate(example);
  return at.cache->source(at.variant);
}

std::span<const int32_t> TrainingData::TargetOf(const StreamExample& example) const {
  const Located at = Locate(example);
  return at.cache->target(at.variant);
}

SideLengths TrainingData::LengthsOf(const StreamExample& example) const {
  const Located at = Locate(example);
  return {.source = at.cache->source_length(at.variant),
          .target = at.cache->target_length(at.variant)};
}

void TrainingData::AddWeights(const Batch& batch, double normalizer, StepPlan& plan) const {
  std::vector<double> weights;
  weights.reserve(batch.target_ids.size());
  for (int64_t e = 0; e < batch.num_examples(); ++e) {
    const int32_t length = batch.target_offsets[e + 1] - batch.target_offsets[e];
    weights.insert(weights.end(), static_cast<size_t>(length),
                   per_example_ ? 1 / (normalizer * length) : 1 / normalizer);
  }
  plan.token_weights.push_back(std::move(weights));
}

StepPlan TrainingData::NextStep(int rank, int ranks) {
  StepPlan plan;
  const std::vector<Row> rows = rows_->NextRows(rows_per_step_);
  std::vector<int64_t> costs;
  for (const Row& row : rows) {
    for (const StreamExample& example : row.examples) {
      plan.lengths.push_back(TruncatedLengths(LengthsOf(example), limits_));
    }
    plan.source_tokens += row.tokens.source;
    plan.target_tokens += row.tokens.target;
    plan.truncated += row.truncated;
    costs.push_back(row.tokens.source + row.tokens.target);
  }
  plan.next = rows_->position();
  const auto normalizer = static_cast<double>(
      per_example_ ? static_cast<int64_t>(plan.lengths.size()) : plan.target_tokens);
  const RankShares shares = ShareRows(costs, ranks, micro_batches_);
  for (const std::vector<int32_t>& share : shares[rank]) {
    for (const int32_t row : share) {
      for (const StreamExample& example : rows[row].examples) {
        const Located at = Locate(example);
        builder_.Append(at.cache->source(at.variant), at.cache->target(at.variant), example.ordinal,
                        example.leaf, TemplateOf(at));
      }
    }
    plan.batches.push_back(builder_.Take());
    AddWeights(plan.batches.back(), normalizer, plan);
  }
  return plan;
}

void TrainingData::Describe(int64_t steps, RunTable& table) const {
  const MixtureReport report = ReportMixture(*rows_, steps * rows_per_step_);
  for (const LeafReport& leaf : report.leaves) {
    table.mixture.push_back({.source = leaf.leaf.source,
                             .language = leaf.leaf.language,
                             .examples = static_cast<int64_t>(leaf.leaf.num_examples),
                             .share = leaf.leaf.probability,
                             .epochs = leaf.epochs,
                             .truncated = std::max(leaf.source_truncated, leaf.target_truncated)});
  }
  table.packing = {.planned = rows_->options().packing,
                   .source_filled = report.packing.source_fill(),
                   .target_filled = report.packing.target_fill(),
                   .examples_per_row = report.examples_per_row};
}

}  // namespace frond
