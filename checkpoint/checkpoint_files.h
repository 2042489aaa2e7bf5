// The files of one checkpoint, written and read together: a Hugging Face model folder plus
// `train_state/` (docs/checkpoint_format.md). Any number of processes may write the tensors, each
// its own rows; the bytes are the same.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "checkpoint/file_record.h"
#include "checkpoint/hf_weights.h"
#include "checkpoint/load_params.h"
#include "checkpoint/named_tensor.h"
#include "checkpoint/safetensors_writer.h"
#include "checkpoint/train_state.h"

namespace frond {

// The tensor files of a checkpoint: a pure function of the tensors' names, dtypes and whole shapes,
// whatever part of them a rank holds.
struct CheckpointPlan {
  // Their `tensors` are numbers in a list of all weights and then all slots.
  std::vector<PlannedFile> files;
  size_t num_shards = 0;  // of the model: the first files
};

// `weights` are the masters, by their Hugging Face names. Where the model's files are narrower, the
// masters are written beside them, so that a resumed run continues from the same bits.
CheckpointPlan PlanCheckpoint(std::span<const NamedTensor> weights,
                              std::span<const NamedTensor> optimizer_slots,
                              const HfWriteOptions& weight_options);

// Makes the plan's files in an existing empty folder, with their sizes and without contents.
absl::Status CreateTensorFiles(const std::string& folder, const CheckpointPlan& plan);

// What one rank writes of a checkpoint's tensors, for whoever collects it.
struct TensorShare {
  uint32_t file = 0;  // of the plan
  RangeShare range;
};

// Borrowed rows of the tensor of that number; a rank may write several pieces of one.
struct TensorRows {
  size_t tensor = 0;
  NamedTensor rows;
};

// Writes and syncs these rows, and the headers where `headers` is true, into files that were
// created. Rows are written one after the other: `done(i)` is called when rows[i] are not needed
// any more, and `stop` is asked before each; where it is true the result is a Cancelled error.
absl::StatusOr<std::vector<TensorShare>> WriteTensorShares(
    const std::string& folder, const CheckpointPlan& plan, bool headers,
    std::span<const TensorRows> rows, const std::function<void(size_t)>& done = nullptr,
    const std::function<bool()>& stop = nullptr);

// The records of the plan's files from the shares of all who wrote.
absl::StatusOr<std::vector<FileRecord>> JoinTensorShares(const CheckpointPlan& plan,
                                                         std::span<const TensorShare> shares);

// What one process writes beside the tensors.
struct CheckpointTexts {
  std::string config_json;  // the text of config.json
  TrainState state;
  std::string carry_from;  // folder of tokenizer and generation files; empty: none
};
absl::StatusOr<std::vector<FileRecord>> WriteCheckpointTexts(const std::string& folder,
                                                             const CheckpointPlan& plan,
                                                             const CheckpointTexts& texts);

// All of a checkpoint by one process that holds whole tensors. Borrowed for the call.
struct CheckpointContents {
  std::span<const NamedTensor> weights;
  HfWriteOptions weight_options = {};
  std::span<const NamedTensor> optimizer_slots;
  CheckpointTexts texts;
};
absl::StatusOr<std::vector<FileRecord>> WriteCheckpointFiles(const std::string& folder,
                                                             const CheckpointContents& contents);

// Fills weights and slots, or the parts of them that are held, with the bits that were written, and
// returns the state.
absl::StatusOr<TrainState> ReadCheckpointFiles(const std::string& folder,
                                               std::span<const NamedTensor> weights,
                                               std::span<const NamedTensor> optimizer_slots);

}  // namespace frond
