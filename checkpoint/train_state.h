// What a checkpoint holds beyond the model: `train_state/` with state.json (where training stands)
// and safetensors of what only training reads. Nothing in it depends on the number of ranks.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "checkpoint/file_record.h"
#include "checkpoint/named_tensor.h"

namespace frond {

struct TrainState {
  int64_t step = 0;  // updates made
  // The next row of the data stream.
  int64_t stream_window = 0;
  int64_t stream_row = 0;
  // Consumed so far.
  int64_t examples = 0;
  int64_t source_tokens = 0;
  int64_t target_tokens = 0;
  // What the run was started with; resuming with another is for the trainer to refuse or report.
  uint64_t seed = 0;
  std::string manifest_hash;
  std::string config_hash;
  // Whatever else the trainer counts or averages; exact. Values are finite.
  std::map<std::string, int64_t> counters;
  std::map<std::string, double> values;

  bool operator==(const TrainState&) const = default;
};

// All functions take the checkpoint's folder, and paths are relative to it.
inline constexpr char kTrainStateFolder[] = "train_state";

// Creates `train_state/` where it is missing.
absl::StatusOr<FileRecord> WriteTrainState(const std::string& folder, const TrainState& state);
// Missing, unknown and mistyped fields are errors.
absl::StatusOr<TrainState> ReadTrainState(const std::string& folder);

// Every tensor of the optimizer in its own dtype.
inline constexpr char kOptimizerFile[] = "train_state/optimizer.safetensors";
// The file must hold these tensors with these whole shapes and no others.
absl::Status ReadOptimizerState(const std::string& folder, std::span<const NamedTensor> slots);

// The exact parameters, where the model's own files are narrower.
inline constexpr char kMastersFile[] = "train_state/masters.safetensors";
bool HasMasters(const std::string& folder);
absl::Status ReadMasters(const std::string& folder, std::span<const NamedTensor> masters);

}  // namespace frond
