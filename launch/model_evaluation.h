// Judging a model on the rows of eval.source: what `frond eval` and every cell of an ablation do.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "configs/train.pb.h"
#include "dist/communicator.h"
#include "launch/evaluation.h"
#include "launch/stop_signal.h"

namespace frond {

struct ModelToEvaluate {
  std::string folder = {};     // empty: the model that the config starts from
  bool own_tokenizer = false;  // the folder's tokenizer, where it has one, instead of the config's
  bool with_baseline = false;  // also what the most frequent training target would score
};

struct EvaluatedModel {
  std::unique_ptr<Evaluation> evaluation;  // with this rank's answers
  LanguageScores scores;                   // the same on all ranks
};

// `config` is resolved and validated. Shares the rows among the ranks, and with mesh.tensor the
// model; a process alone holds all of it. `stop` may be null; Cancelled where it asks. Errors are
// agreed on. Collective over `world`.
absl::StatusOr<EvaluatedModel> EvaluateModel(const config::TrainConfig& config,
                                             const ModelToEvaluate& wanted, Communicator& world,
                                             StopSignal* stop);

}  // namespace frond
