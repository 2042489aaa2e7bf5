#include "launch/evaluation.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <numeric>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "configs/mixture_sources.h"
#include "configs/template_fields.h"
#include "core/base/philox.h"
#include "core/base/status_macros.h"
#include "data/example_reader.h"
#include "dist/sum_numbers.h"
#include "dist/tensor_axis.h"
#include "eval/greedy_decode.h"
#include "launch/agree.h"
#include "launch/source_rows.h"
#include "launch/source_templates.h"
#include "launch/training_data.h"

namespace frond {
namespace {

// Decoding holds keys and values of every sequence of a batch.
constexpr size_t kMaxSequences = 256;

absl::Status ForEachExample(const config::Source& source,
                            const std::function<void(Example&&)>& take) {
  ASSIGN_OR_RETURN(std::vector<RowFile> files, RowFilesOf(source));
  ASSIGN_OR_RETURN(auto templates, TemplatesOf(source));
  ExampleReader reader(std::move(files), RowLayoutOf(source), std::move(templates));
  while (true) {
    Example example;
    ASSIGN_OR_RETURN(const bool more, reader.Next(&example));
    if (!more) return absl::OkStatus();
    take(std::move(example));
  }
}

}  // namespace

Evaluation::Evaluation(const config::TrainConfig& config,
                       std::shared_ptr<const Tokenizer> tokenizer)
    : tokenizer_(std::move(tokenizer)),
      limits_{.source = config.data().source_length(), .target = config.data().target_length()},
      max_new_tokens_(config.eval().max_new_tokens()),
      batch_tokens_(config.eval().batch_tokens()) {}

absl::StatusOr<std::unique_ptr<Evaluation>> Evaluation::Open(
    const config::TrainConfig& config, std::shared_ptr<const Tokenizer> tokenizer) {
  if (config.eval().source().empty()) {
    return absl::InvalidArgumentError("eval.source is missing: name the rows to evaluate on");
  }
  std::unique_ptr<Evaluation> evaluation(new Evaluation(config, std::move(tokenizer)));
  for (const config::Source& source : config.eval().source()) {
    const bool has_templates = HasTemplates(source);
    RETURN_IF_ERROR(ForEachExample(source, [&](Example&& example) {
      evaluation->template_of_.push_back(
          has_templates ? absl::StrCat(source.name(), "/", example.template_id) : "");
      evaluation->examples_.push_back(std::move(example));
    }));
  }
  if (evaluation->examples_.empty()) {
    return absl::InvalidArgumentError("eval.source holds no rows");
  }
  const int32_t most = config.eval().max_examples_per_language();
  if (most > 0)
    evaluation->KeepSomePerLanguage(
        most, config.eval().has_sample_seed() ? config.eval().sample_seed() : config.seed());
  evaluation->Encode();
  return evaluation;
}

absl::Status Evaluation::ReadBaseline(const config::TrainConfig& config) {
  for (const config::Source* source : SourcesOf(config.data())) {
    RETURN_IF_ERROR(ForEachExample(
        *source, [&](Example&& example) { baseline_.Add(example.language, example.targets); }));
  }
  return absl::OkStatus();
}

void Evaluation::KeepSomePerLanguage(int32_t max_per_language, uint64_t seed) {
  // Rows of a file often come sorted by task: an order drawn from the seed mixes them.
  std::vector<std::pair<uint64_t, size_t>> order;
  for (size_t i = 0; i < examples_.size(); ++i) order.emplace_back(MixBits(MixBits(seed) ^ i), i);
  std::sort(order.begin(), order.end());
  std::map<std::string, int32_t> taken;
  std::vector<size_t> kept;
  for (const auto& [key, i] : order) {
    if (++taken[examples_[i].language] <= max_per_language) kept.push_back(i);
  }
  std::sort(kept.begin(), kept.end());
  std::vector<Example> examples;
  std::vector<std::string> template_of;
  for (const size_t i : kept) {
    examples.push_back(std::move(examples_[i]));
    template_of.push_back(std::move(template_of_[i]));
  }
  examples_ = std::move(examples);
  template_of_ = std::move(template_of);
}

void Evaluation::Encode() {
  encoded_.resize(examples_.size());
#pragma omp parallel for schedule(dynamic, 64)
  for (size_t i = 0; i < examples_.size(); ++i) {
    encoded_[i] = {tokenizer_->EncodeWithEos(examples_[i].inputs),
                   tokenizer_->EncodeWithEos(examples_[i].targets)};
  }
}

std::vector<std::vector<size_t>> Evaluation::Batches(int rank, int ranks) const {
  std::vector<size_t> order(examples_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return encoded_[a].target.size() < encoded_[b].target.size();
  });
  std::vector<std::vector<size_t>> batches;
  size_t tokens = 0;
  for (size_t i = static_cast<size_t>(rank); i < order.size(); i += static_cast<size_t>(ranks)) {
    const Encoded& e = encoded_[order[i]];
    const size_t size = std::max(e.source.size() / 4, e.target.size());
    const bool full = !batches.empty() && (tokens + size > static_cast<size_t>(batch_tokens_) ||
                                           batches.back().size() == kMaxSequences);
    if (batches.empty() || full) {
      batches.emplace_back();
      tokens = 0;
    }
    batches.back().push_back(order[i]);
    tokens += size;
  }
  return batches;
}

absl::Status Evaluation::RunBatch(Context& ctx, T5Model& model, const std::vector<size_t>& numbers,
                                  LanguageScores& scores) {
  BatchBuilder builder(limits_);
  for (const size_t i : numbers) builder.Append(encoded_[i].source, encoded_[i].target, i, 0);
  const Batch batch = builder.Take();
  const TokenLosses losses = model.Evaluate(ctx, batch);
  const auto answers = GreedyDecode(ctx, model, batch, max_new_tokens_);
  for (size_t k = 0; k < numbers.size(); ++k) {
    const Example& example = examples_[numbers[k]];
    const int32_t begin = batch.target_offsets[k], end = batch.target_offsets[k + 1];
    const double nll = std::accumulate(losses.nll.begin() + begin, losses.nll.begin() + end, 0.0);
    scores.AddLoss(example.language, end - begin, nll);
    // Rows of the vocabulary beyond the tokenizer's pieces stand for no text.
    std::vector<int32_t> ids = answers[k];
    std::erase_if(ids, [&](int32_t id) { return id >= tokenizer_->vocab_size(); });
    ASSIGN_OR_RETURN(std::string answer, tokenizer_->Decode(ids));
    const std::string& baseline = baseline_.Answer(example.language);
    scores.AddAnswer(example.language, answer, example.targets, baseline);
    if (const std::string& name = template_of_[numbers[k]]; !name.empty()) {
      template_scores_.AddLoss(name, end - begin, nll);
      template_scores_.AddAnswer(name, answer, example.targets, baseline);
    }
    answers_.push_back({.example = &example,
                        .number = numbers[k],
                        .answer = std::move(answer),
                        .loss = nll / static_cast<double>(end - begin)});
  }
  return absl::OkStatus();
}

absl::StatusOr<LanguageScores> Evaluation::Run(Context& ctx, T5Model& model, ProcessMesh& mesh,
                                               StopSignal* stop) {
  std::vector<std::string> languages;
  for (const Example& example : examples_) languages.push_back(example.language);
  LanguageScores scores(std::move(languages));
  std::vector<std::string> templates = template_of_;
  std::erase(templates, "");
  template_scores_ = LanguageScores(std::move(templates));
  answers_.clear();
  bool cancelled = false;
  absl::Status status;
  for (const std::vector<size_t>& numbers : Batches(mesh.data().rank(), mesh.data().size())) {
    // The ranks that share a copy of the model go on or stop together.
    std::array<double, 1> wanted = {stop != nullptr && stop->Requested() ? 1.0 : 0.0};
    SumNumbers(mesh.tensor(), wanted);
    cancelled = wanted[0] > 0;
    if (cancelled || !status.ok()) break;
    status = RunBatch(ctx, model, numbers, scores);
  }
  RETURN_IF_ERROR(AgreeOnStatus(mesh.world(), status));
  std::vector<double> sums = scores.Sums();
  const size_t by_language = sums.size();
  const std::vector<double> by_template = template_scores_.Sums();
  sums.insert(sums.end(), by_template.begin(), by_template.end());
  sums.push_back(cancelled ? 1 : 0);
  TensorAxis(mesh.tensor()).CountOnce(sums);
  SumNumbers(mesh.world(), sums);
  if (sums.back() > 0) return absl::CancelledError("a stop was asked for during evaluation");
  sums.pop_back();
  scores.SetSums(std::span<const double>(sums).first(by_language));
  template_scores_.SetSums(std::span<const double>(sums).subspan(by_language));
  return scores;
}

}  // namespace frond
