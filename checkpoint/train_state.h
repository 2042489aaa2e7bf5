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

// All functions take the checkpoint's folder; records name paths relative to it. Writers create
// `train_state/` where it is missing.
absl::StatusOr<FileRecord> WriteTrainState(const std::string& folder, const TrainState& state);
// Missing, unknown and mistyped fields are errors.
absl::StatusOr<TrainState> ReadTrainState(const std::string& folder);

// train_state/optimizer.safetensors: every tensor in its own dtype.
absl::StatusOr<FileRecord> WriteOptimizerState(const std::string& folder,
                                               std::span<const NamedTensor> slots);
// The file must hold these tensors with these shapes and no others.
absl::Status ReadOptimizerState(const std::string& folder, std::span<const NamedTensor> slots);

// train_state/masters.safetensors: the exact parameters, where the model's own files are narrower.
absl::StatusOr<FileRecord> WriteMasters(const std::string& folder,
                                        std::span<const NamedTensor> masters);
bool HasMasters(const std::string& folder);
absl::Status ReadMasters(const std::string& folder, std::span<const NamedTensor> masters);

}  // namespace frond
