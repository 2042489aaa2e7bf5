// One run's checkpoints: the model as a Hugging Face folder, the optimizer and where training
// stands.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "checkpoint/train_state.h"
#include "launch/checkpoint_saver.h"
#include "models/t5/t5_model.h"
#include "optim/optimizer.h"

namespace frond {

// What the run trains on, in a checkpoint's folder (data_manifest.h).
inline constexpr char kManifestFile[] = "train_state/manifest.json";

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
  TrainState state;
  std::string manifest;  // the text of kManifestFile; empty: none
  CarriedFiles carried;
  DType weights = DType::kF32;  // of the model's files; kBF16 keeps the exact masters beside them
  bool asynchronous = true;     // as in SaveRequest
};

// Begins to save the model and its parts as the checkpoint of state.step; what is saved is the
// state of this moment. Collective over the saver's world; state, manifest and carried files count
// on rank 0.
absl::Status StartRunCheckpoint(Context& ctx, CheckpointSaver& saver, const T5Model& model,
                                const RunCheckpointParts& parts);

// About how many bytes a rank of `ranks` holds of a checkpoint that is written beside the training:
// its share of all masters and the optimizer's state (CheckpointSnapshot).
int64_t SnapshotBytes(const T5Model& model, Optimizer& optimizer, int ranks);

// Fills masters and optimizer, as far as this rank holds them, from a checkpoint folder, to the
// bit. The model's parameters must be allocated, the optimizer registered.
absl::StatusOr<TrainState> ReadRunCheckpoint(const std::string& folder, T5Model& model,
                                             Optimizer& optimizer);

}  // namespace frond
