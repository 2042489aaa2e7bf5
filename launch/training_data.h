// From the sources of a config to the micro-batches of a step: tokenised caches, mixture, packing,
// shares.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "configs/train.pb.h"
#include "data/batch_builder.h"
#include "data/tokenizer.h"
#include "launch/mixture_builder.h"
#include "launch/run_table.h"
#include "mixtures/row_stream.h"

namespace frond {

// One rank's part of one optimizer step.
struct StepPlan {
  std::vector<Batch> batches;  // one per micro-batch; some may be empty
  std::vector<std::vector<double>>
      token_weights;                 // per batch, per target token: sums to 1 over all ranks
  std::vector<SideLengths> lengths;  // of all examples of the step, all ranks
  int64_t source_tokens = 0;         // all ranks
  int64_t target_tokens = 0;
  int64_t truncated = 0;  // examples that lose tokens on either side, all ranks
  StreamPosition next;    // behind the step's rows
};

class TrainingData {
 public:
  // Opens (or builds) the caches. Every rank may call it at once: one builds, the others wait.
  // `threads` tokenise.
  static absl::StatusOr<std::unique_ptr<TrainingData>> Open(const config::TrainConfig& config,
                                                            const Tokenizer& tokenizer,
                                                            int threads);

  // The step whose rows begin at the stream's position, as seen by `rank` of `ranks`; moves the
  // position on. A pure function of the position: all ranks plan the whole step and take their
  // share.
  StepPlan NextStep(int rank, int ranks);

  StreamPosition position() const { return rows_->position(); }
  // As RowStream::Seek.
  absl::Status Seek(const StreamPosition& position) { return rows_->Seek(position); }

  const Mixture& mixture() const { return *built_.mixture; }
  // The resolved tree and where the leaves' examples lie.
  const BuiltMixture& built() const { return built_; }
  const RowStream& rows() const { return *rows_; }
  // Ids of an example of the stream, untruncated.
  std::span<const int32_t> SourceOf(const StreamExample& example) const;
  std::span<const int32_t> TargetOf(const StreamExample& example) const;
  // Which of templates() made an example; -1: none, its row held the texts.
  int32_t TemplateOf(const StreamExample& example) const;
  // Adds the mixture's leaves and the packing of the first window to the table; epochs are those of
  // `steps`.
  void Describe(int64_t steps, RunTable& table) const;
  // Leaf -> index into languages().
  const std::vector<int32_t>& language_of_leaf() const { return language_of_leaf_; }
  const std::vector<std::string>& languages() const { return languages_; }  // sorted
  // The templates of all datasets that have some, in the order of the datasets.
  struct TemplateName {
    std::string source, label;
  };
  const std::vector<TemplateName>& templates() const { return templates_; }

 private:
  explicit TrainingData(const config::TrainConfig& config);
  // The cache and the number of the variant that a stream example stands for.
  struct Located {
    const TokenCache* cache;
    int64_t variant;
  };
  Located Locate(const StreamExample& example) const;
  void NumberTemplates();
  int32_t TemplateOf(const Located& at) const;
  SideLengths LengthsOf(const StreamExample& example) const;
  void AddWeights(const Batch& batch, double normalizer, StepPlan& plan) const;

  int rows_per_step_;
  int micro_batches_;
  bool per_example_;
  SideLengths limits_;
  BuiltMixture built_;
  std::vector<std::string> languages_;
  std::vector<int32_t> language_of_leaf_;
  std::vector<TemplateName> templates_;
  // Of the datasets with templates: numbers of templates by label.
  std::map<const TokenCache*, std::map<std::string, int32_t>> template_numbers_;
  std::unique_ptr<RowStream> rows_;
  BatchBuilder builder_;
};

}  // namespace frond
