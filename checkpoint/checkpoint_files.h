// The files of one checkpoint, written and read together: a Hugging Face model folder plus
// `train_state/` (docs/checkpoint_format.md).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "checkpoint/file_record.h"
#include "checkpoint/hf_weights.h"
#include "checkpoint/load_params.h"
#include "checkpoint/named_tensor.h"
#include "checkpoint/train_state.h"

namespace frond {

// Everything is borrowed for the call.
struct CheckpointContents {
  std::string config_json;               // the text of config.json
  std::span<const NamedTensor> weights;  // the masters, by their Hugging Face names
  HfWriteOptions weight_options = {};
  std::span<const NamedTensor> optimizer_slots;
  const TrainState* state = nullptr;
  std::string carry_from;  // folder of tokenizer and generation files; empty: none
};

// Writes into an existing empty folder. Where the model's files are narrower than the masters, the
// masters are written beside them, so that a resumed run continues from the same bits.
absl::StatusOr<std::vector<FileRecord>> WriteCheckpointFiles(const std::string& folder,
                                                             const CheckpointContents& contents);

// Fills weights and slots with the bits that were written, and returns the state.
absl::StatusOr<TrainState> ReadCheckpointFiles(const std::string& folder,
                                               std::span<const NamedTensor> weights,
                                               std::span<const NamedTensor> optimizer_slots);

}  // namespace frond
