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

// Writes model, optimizer and state into `folder`. Not collective: rank 0 calls it.
absl::StatusOr<std::vector<FileRecord>> WriteRunCheckpoint(const std::string& folder,
                                                           const T5Model& model,
                                                           Optimizer& optimizer,
                                                           const TrainState& state,
                                                           const CarriedFiles& carried);

// Fills masters and optimizer from a checkpoint folder, to the bit. The model's parameters must be
// allocated, the optimizer registered.
absl::StatusOr<TrainState> ReadRunCheckpoint(const std::string& folder, T5Model& model,
                                             Optimizer& optimizer);

}  // namespace frond
