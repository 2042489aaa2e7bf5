// Loss, exact match and chrF per language on held-out rows, and per template where rows are raw.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "configs/train.pb.h"
#include "data/batch_builder.h"
#include "data/example.h"
#include "data/tokenizer.h"
#include "dist/process_mesh.h"
#include "eval/language_scores.h"
#include "launch/stop_signal.h"
#include "models/t5/t5_model.h"

namespace frond {

// One answered row.
struct AnsweredExample {
  const Example* example;  // owned by the evaluation
  size_t number = 0;       // of Evaluation::examples()
  std::string answer = {};
  double loss = 0;  // mean over the target tokens
};

class Evaluation {
 public:
  // Reads the rows of config.eval.source, raw ones with each of their templates: all, or the first
  // max_examples_per_language of every language in an order drawn from eval.sample_seed (the run's
  // seed). Long rows are truncated to the training limits.
  static absl::StatusOr<std::unique_ptr<Evaluation>> Open(
      const config::TrainConfig& config, std::shared_ptr<const Tokenizer> tokenizer);

  // Counts the targets of the training sources, so that scores come with the baseline "always
  // answer with the language's most frequent training target".
  absl::Status ReadBaseline(const config::TrainConfig& config);

  // Every data rank takes its share of the rows; the scores are the same on all ranks. Answers with
  // greedy decoding. Cancelled when `stop` (may be null) asks on any rank. `model` lies on the
  // mesh's tensor axis. Collective over the mesh.
  absl::StatusOr<LanguageScores> Run(Context& ctx, T5Model& model, ProcessMesh& mesh,
                                     StopSignal* stop);

  const std::vector<Example>& examples() const { return examples_; }
  // Of the last Run, of all ranks: by "source/template" for the rows of sources with templates.
  const LanguageScores& template_scores() const { return template_scores_; }
  // Of the last Run, this rank's share.
  const std::vector<AnsweredExample>& answers() const { return answers_; }

 private:
  struct Encoded {
    std::vector<int32_t> source, target;
  };
  Evaluation(const config::TrainConfig& config, std::shared_ptr<const Tokenizer> tokenizer);
  void KeepSomePerLanguage(int32_t max_per_language, uint64_t seed);
  void Encode();
  // Numbers of this rank's examples, cut into batches of similar lengths.
  std::vector<std::vector<size_t>> Batches(int rank, int ranks) const;
  absl::Status RunBatch(Context& ctx, T5Model& model, const std::vector<size_t>& numbers,
                        LanguageScores& scores);

  std::shared_ptr<const Tokenizer> tokenizer_;
  SideLengths limits_;
  int32_t max_new_tokens_;
  int32_t batch_tokens_;
  std::vector<Example> examples_;
  std::vector<std::string> template_of_;  // of each example, "source/template"; empty: none
  std::vector<Encoded> encoded_;
  MostFrequentTarget baseline_;
  LanguageScores template_scores_ = LanguageScores({});
  std::vector<AnsweredExample> answers_;
};

}  // namespace frond
