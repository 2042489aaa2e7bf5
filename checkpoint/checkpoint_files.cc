#include "checkpoint/checkpoint_files.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "checkpoint/carry_files.h"
#include "core/base/check.h"
#include "core/base/status_macros.h"

namespace frond {

absl::StatusOr<std::vector<FileRecord>> WriteCheckpointFiles(const std::string& folder,
                                                             const CheckpointContents& contents) {
  CHECK(contents.state != nullptr);
  ASSIGN_OR_RETURN(std::vector<FileRecord> records,
                   WriteHfWeights(folder, contents.weights, contents.weight_options));
  const auto add = [&](absl::StatusOr<FileRecord> record) -> absl::Status {
    RETURN_IF_ERROR(record.status());
    records.push_back(*std::move(record));
    return absl::OkStatus();
  };
  const bool narrowed =
      std::any_of(contents.weights.begin(), contents.weights.end(), [&](const NamedTensor& weight) {
        return DTypeSize(weight.dtype()) > DTypeSize(contents.weight_options.dtype);
      });
  if (narrowed) RETURN_IF_ERROR(add(WriteMasters(folder, contents.weights)));
  RETURN_IF_ERROR(add(WriteRecordedFile(folder, "config.json", contents.config_json)));
  RETURN_IF_ERROR(add(WriteOptimizerState(folder, contents.optimizer_slots)));
  RETURN_IF_ERROR(add(WriteTrainState(folder, *contents.state)));
  if (contents.carry_from.empty()) return records;
  ASSIGN_OR_RETURN(std::vector<FileRecord> carried, CarryModelFiles(contents.carry_from, folder));
  std::move(carried.begin(), carried.end(), std::back_inserter(records));
  return records;
}

absl::StatusOr<TrainState> ReadCheckpointFiles(const std::string& folder,
                                               std::span<const NamedTensor> weights,
                                               std::span<const NamedTensor> optimizer_slots) {
  if (HasMasters(folder)) {
    RETURN_IF_ERROR(ReadMasters(folder, weights));
  } else {
    ASSIGN_OR_RETURN(const HfWeights stored, HfWeights::Open(folder));
    RETURN_IF_ERROR(LoadTensors(stored, weights, {}));
  }
  RETURN_IF_ERROR(ReadOptimizerState(folder, optimizer_slots));
  return ReadTrainState(folder);
}

}  // namespace frond
