#include "checkpoint/checkpoint_files.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <utility>

#include "checkpoint/carry_files.h"
#include "core/base/check.h"
#include "core/base/status_macros.h"

namespace frond {

CheckpointPlan PlanCheckpoint(std::span<const NamedTensor> weights,
                              std::span<const NamedTensor> optimizer_slots,
                              const HfWriteOptions& weight_options) {
  CheckpointPlan plan;
  plan.files = PlanHfWeights(weights, weight_options);
  plan.num_shards = plan.files.size();
  const bool narrowed = std::any_of(weights.begin(), weights.end(), [&](const NamedTensor& weight) {
    return DTypeSize(weight.dtype()) > DTypeSize(weight_options.dtype);
  });
  if (narrowed) plan.files.push_back(PlanSafetensors(kMastersFile, weights));
  plan.files.push_back(PlanSafetensors(kOptimizerFile, optimizer_slots));
  for (size_t& tensor : plan.files.back().tensors) tensor += weights.size();
  return plan;
}

absl::Status CreateTensorFiles(const std::string& folder, const CheckpointPlan& plan) {
  RETURN_IF_ERROR(CreateDirectories(JoinPath(folder, kTrainStateFolder)));
  for (const PlannedFile& file : plan.files) {
    RETURN_IF_ERROR(SafetensorsWriter::CreateFile(folder, file.layout));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<TensorShare>> WriteTensorShares(const std::string& folder,
                                                           const CheckpointPlan& plan, bool headers,
                                                           std::span<const TensorRows> rows,
                                                           const std::function<void(size_t)>& done,
                                                           const std::function<bool()>& stop) {
  std::vector<std::unique_ptr<SafetensorsWriter>> writers;
  // Where each tensor stands: (file, its number there).
  std::multimap<size_t, std::pair<size_t, size_t>> places;
  for (size_t f = 0; f < plan.files.size(); ++f) {
    const PlannedFile& file = plan.files[f];
    ASSIGN_OR_RETURN(writers.emplace_back(), SafetensorsWriter::Open(folder, file.layout));
    if (headers) RETURN_IF_ERROR(writers[f]->WriteHeader());
    for (size_t i = 0; i < file.tensors.size(); ++i) places.insert({file.tensors[i], {f, i}});
  }
  for (size_t r = 0; r < rows.size(); ++r) {
    if (stop != nullptr && stop()) return absl::CancelledError("writing was stopped");
    const auto [begin, end] = places.equal_range(rows[r].tensor);
    for (auto place = begin; place != end; ++place) {
      const auto [file, index] = place->second;
      RETURN_IF_ERROR(writers[file]->WriteRows(index, rows[r].rows));
    }
    if (done != nullptr) done(r);
  }
  std::vector<TensorShare> shares;
  for (size_t f = 0; f < writers.size(); ++f) {
    ASSIGN_OR_RETURN(const std::vector<RangeShare> ranges, writers[f]->Close());
    for (const RangeShare& range : ranges) shares.push_back({static_cast<uint32_t>(f), range});
  }
  return shares;
}

absl::StatusOr<std::vector<FileRecord>> JoinTensorShares(const CheckpointPlan& plan,
                                                         std::span<const TensorShare> shares) {
  std::vector<std::vector<RangeShare>> by_file(plan.files.size());
  for (const TensorShare& share : shares) {
    CHECK_LT(share.file, by_file.size());
    by_file[share.file].push_back(share.range);
  }
  std::vector<FileRecord> records;
  for (size_t f = 0; f < plan.files.size(); ++f) {
    ASSIGN_OR_RETURN(records.emplace_back(), JoinShares(plan.files[f].layout, by_file[f]));
  }
  return records;
}

absl::StatusOr<std::vector<FileRecord>> WriteCheckpointTexts(const std::string& folder,
                                                             const CheckpointPlan& plan,
                                                             const CheckpointTexts& texts) {
  std::vector<FileRecord> records;
  RETURN_IF_ERROR(WriteHfIndex(folder, std::span(plan.files).first(plan.num_shards), records));
  ASSIGN_OR_RETURN(records.emplace_back(),
                   WriteRecordedFile(folder, "config.json", texts.config_json));
  ASSIGN_OR_RETURN(records.emplace_back(), WriteTrainState(folder, texts.state));
  if (texts.carry_from.empty()) return records;
  ASSIGN_OR_RETURN(std::vector<FileRecord> carried, CarryModelFiles(texts.carry_from, folder));
  std::move(carried.begin(), carried.end(), std::back_inserter(records));
  return records;
}

absl::StatusOr<std::vector<FileRecord>> WriteCheckpointFiles(const std::string& folder,
                                                             const CheckpointContents& contents) {
  const CheckpointPlan plan =
      PlanCheckpoint(contents.weights, contents.optimizer_slots, contents.weight_options);
  std::vector<TensorRows> rows;
  for (const auto& tensors : {contents.weights, contents.optimizer_slots}) {
    for (const NamedTensor& tensor : tensors) rows.push_back({rows.size(), tensor});
  }
  RETURN_IF_ERROR(CreateTensorFiles(folder, plan));
  ASSIGN_OR_RETURN(const std::vector<TensorShare> shares,
                   WriteTensorShares(folder, plan, /*headers=*/true, rows));
  ASSIGN_OR_RETURN(std::vector<FileRecord> records, JoinTensorShares(plan, shares));
  ASSIGN_OR_RETURN(std::vector<FileRecord> others,
                   WriteCheckpointTexts(folder, plan, contents.texts));
  std::move(others.begin(), others.end(), std::back_inserter(records));
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
