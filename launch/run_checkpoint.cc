#include "launch/run_checkpoint.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "checkpoint/carry_files.h"
#include "checkpoint/load_params.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"
#include "models/t5/t5_folder.h"

namespace frond {
namespace {

std::vector<NamedTensor> NamedSlots(Optimizer& optimizer) {
  std::vector<NamedTensor> named;
  for (OptimizerSlot& slot : optimizer.Slots()) named.push_back({slot.name, slot.value});
  return named;
}

absl::StatusOr<FileRecord> WriteText(const std::string& folder, const std::string& name,
                                     const std::string& text) {
  ASSIGN_OR_RETURN(auto writer, FileWriter::Create(JoinPath(folder, name)));
  RETURN_IF_ERROR(writer->Append(text));
  RETURN_IF_ERROR(writer->Close());
  return FileRecord{name, writer->size(), writer->checksum()};
}

// What AutoTokenizer and generate() need beside the SentencePiece file.
std::string GenerationConfig(const T5Config& config) {
  nlohmann::ordered_json json;
  json["decoder_start_token_id"] = config.decoder_start_token_id;
  json["eos_token_id"] = config.eos_token_id;
  json["pad_token_id"] = config.pad_token_id;
  return json.dump(2) + "\n";
}

absl::Status WriteCarried(const std::string& folder, const CarriedFiles& carried,
                          const T5Config& config, std::vector<FileRecord>& records) {
  if (!carried.model_folder.empty()) {
    ASSIGN_OR_RETURN(std::vector<FileRecord> copied, CarryModelFiles(carried.model_folder, folder));
    records.insert(records.end(), copied.begin(), copied.end());
  }
  if (!PathExists(JoinPath(folder, "spiece.model"))) {
    ASSIGN_OR_RETURN(const std::string model, ReadFile(carried.tokenizer));
    ASSIGN_OR_RETURN(records.emplace_back(), WriteText(folder, "spiece.model", model));
  }
  if (!PathExists(JoinPath(folder, "generation_config.json"))) {
    ASSIGN_OR_RETURN(records.emplace_back(),
                     WriteText(folder, "generation_config.json", GenerationConfig(config)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<FileRecord>> WriteRunCheckpoint(const std::string& folder,
                                                           const T5Model& model,
                                                           Optimizer& optimizer,
                                                           const TrainState& state,
                                                           const CarriedFiles& carried) {
  ASSIGN_OR_RETURN(std::vector<FileRecord> records, WriteT5Folder(folder, model, DType::kF32));
  RETURN_IF_ERROR(WriteCarried(folder, carried, model.config(), records));
  ASSIGN_OR_RETURN(records.emplace_back(), WriteOptimizerState(folder, NamedSlots(optimizer)));
  ASSIGN_OR_RETURN(records.emplace_back(), WriteTrainState(folder, state));
  return records;
}

absl::Status ReadRunCheckpoint(Context& ctx, const std::string& folder, T5Model& model,
                               Optimizer& optimizer, TrainState& state) {
  RETURN_IF_ERROR(LoadT5Weights(ctx, folder, model));
  RETURN_IF_ERROR(ReadOptimizerState(folder, NamedSlots(optimizer)));
  ASSIGN_OR_RETURN(state, ReadTrainState(folder));
  return absl::OkStatus();
}

}  // namespace frond
