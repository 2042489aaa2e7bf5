#include "launch/run_checkpoint.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "checkpoint/checkpoint_files.h"
#include "checkpoint/file_record.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"
#include "launch/model_builder.h"

namespace frond {
namespace {

constexpr char kGenerationConfig[] = "generation_config.json";

// The optimizer's state lies where the masters do.
std::vector<NamedTensor> NamedSlots(Optimizer& optimizer, const ParamStore& store) {
  Allocator* memory = store.params().front()->value.memory();
  std::vector<NamedTensor> named;
  for (OptimizerSlot& slot : optimizer.Slots()) {
    const ParamSlice& slice = slot.slice;
    const Shape whole = slot.value.shape.rank() == 2 ? Shape{slice.whole_rows, slice.whole_cols}
                                                     : Shape{slice.whole_rows};
    named.push_back({.name = slot.name,
                     .value = slot.value,
                     .memory = memory,
                     .part = TensorPart{whole, slice}});
  }
  return named;
}

// What AutoTokenizer and generate() need beside the SentencePiece file.
std::string GenerationConfig(const T5Config& config) {
  nlohmann::ordered_json json;
  json["decoder_start_token_id"] = config.decoder_start_token_id;
  json["eos_token_id"] = config.eos_token_id;
  json["pad_token_id"] = config.pad_token_id;
  return json.dump(2) + "\n";
}

// What AutoTokenizer reads beside spiece.model.
std::string TokenizerConfig() {
  nlohmann::ordered_json json;
  json["tokenizer_class"] = "T5Tokenizer";
  json["extra_ids"] = 0;
  json["pad_token"] = "<pad>";
  json["eos_token"] = "</s>";
  json["unk_token"] = "<unk>";
  return json.dump(2) + "\n";
}

// Whether the folder that the model came from holds the tokenizer of this run. The files of another
// one must not get into the checkpoint.
absl::StatusOr<bool> HoldsOurTokenizer(const CarriedFiles& carried) {
  if (carried.model_folder.empty()) return false;
  const absl::StatusOr<std::string> file = FindTokenizerFile(carried.model_folder);
  if (!file.ok()) return false;
  if (*file == carried.tokenizer) return true;
  ASSIGN_OR_RETURN(const std::string theirs, ReadFile(*file));
  ASSIGN_OR_RETURN(const std::string ours, ReadFile(carried.tokenizer));
  return theirs == ours;
}

// Of the folder that the model came from, or our own.
absl::StatusOr<std::string> GenerationConfigOf(const CarriedFiles& carried,
                                               const T5Config& config) {
  const std::string theirs = JoinPath(carried.model_folder, kGenerationConfig);
  if (carried.model_folder.empty() || !PathExists(theirs)) return GenerationConfig(config);
  return ReadFile(theirs);
}

// Adds what has not been carried from the folder that the model came from.
absl::Status CompleteFolder(const std::string& folder, const CarriedFiles& carried,
                            const T5Config& config, std::vector<FileRecord>& records) {
  const auto add = [&](const std::string& name, const std::string& bytes) -> absl::Status {
    ASSIGN_OR_RETURN(records.emplace_back(), WriteRecordedFile(folder, name, bytes));
    return absl::OkStatus();
  };
  if (!FindTokenizerFile(folder).ok()) {
    ASSIGN_OR_RETURN(const std::string model, ReadFile(carried.tokenizer));
    RETURN_IF_ERROR(add("spiece.model", model));
    RETURN_IF_ERROR(add("tokenizer_config.json", TokenizerConfig()));
  }
  if (!PathExists(JoinPath(folder, kGenerationConfig))) {
    ASSIGN_OR_RETURN(const std::string generation, GenerationConfigOf(carried, config));
    RETURN_IF_ERROR(add(kGenerationConfig, generation));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status StartRunCheckpoint(Context& ctx, CheckpointSaver& saver, const T5Model& model,
                                const RunCheckpointParts& parts) {
  const std::vector<NamedTensor> weights = NamedMasters(model.params());
  const std::vector<NamedTensor> slots = NamedSlots(*parts.optimizer, model.params());
  const auto write_texts =
      [config = model.config(), state = parts.state, manifest = parts.manifest,
       carried = parts.carried](
          const std::string& folder,
          const CheckpointPlan& plan) -> absl::StatusOr<std::vector<FileRecord>> {
    ASSIGN_OR_RETURN(const bool carry, HoldsOurTokenizer(carried));
    ASSIGN_OR_RETURN(std::vector<FileRecord> records,
                     WriteCheckpointTexts(folder, plan,
                                          {.config_json = T5ConfigToJson(config),
                                           .state = state,
                                           .carry_from = carry ? carried.model_folder : ""}));
    RETURN_IF_ERROR(CompleteFolder(folder, carried, config, records));
    if (manifest.empty()) return records;
    ASSIGN_OR_RETURN(records.emplace_back(), WriteRecordedFile(folder, kManifestFile, manifest));
    return records;
  };
  return saver.Start(ctx, {.step = parts.state.step,
                           .weights = weights,
                           .optimizer_slots = slots,
                           .weight_options = {.dtype = parts.weights},
                           .write_texts = write_texts,
                           .asynchronous = parts.asynchronous});
}

int64_t SnapshotBytes(const T5Model& model, Optimizer& optimizer, int ranks) {
  std::vector<NamedTensor> tensors = NamedMasters(model.params());
  for (NamedTensor& slot : NamedSlots(optimizer, model.params()))
    tensors.push_back(std::move(slot));
  int64_t bytes = 0;
  for (const NamedTensor& tensor : tensors) {
    bytes += tensor.whole_shape().num_elements() * static_cast<int64_t>(DTypeSize(tensor.dtype()));
  }
  return (bytes + ranks - 1) / ranks;
}

absl::StatusOr<TrainState> ReadRunCheckpoint(const std::string& folder, T5Model& model,
                                             Optimizer& optimizer) {
  return ReadCheckpointFiles(folder, NamedMasters(model.params()),
                             NamedSlots(optimizer, model.params()));
}

}  // namespace frond
