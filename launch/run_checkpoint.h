// One run's checkpoints: the model as a Hugging Face folder, the optimizer and where training
// stands.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "checkpoint/checkpoint_store.h"
#include "checkpoint/train_state.h"
#include "models/t5/t5_model.h"
#include "optim/optimizer.h"

namespace frond {

// Files that make a checkpoint folder complete for others' tools.
struct CarriedFiles {
  std::string tokenizer;  // a SentencePiece file; becomes spiece.model
  // Where generation settings are taken from, and tokenizer files if they are of that SentencePiece
  // file; may be empty.
  std::string model_folder;
};

// What is written beside the model's parameters.
struct RunCheckpointParts {
  Optimizer* optimizer = nullptr;
  const TrainState* state = nullptr;
  CarriedFiles carried;
  DType weights = DType::kF32;  // of the model's files; kBF16 keeps the exact masters beside them
};

// Writes the model and its parts into `folder`. Not collective: rank 0 calls it.
absl::StatusOr<std::vector<FileRecord>> WriteRunCheckpoint(const std::string& folder,
                                                           const T5Model& model,
                                                           const RunCheckpointParts& parts);

// Fills masters and optimizer from a checkpoint folder, to the bit. The model's parameters must be
// allocated, the optimizer registered.
absl::StatusOr<TrainState> ReadRunCheckpoint(const std::string& folder, T5Model& model,
                                             Optimizer& optimizer);

}  // namespace frond
