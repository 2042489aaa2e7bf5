// The weights of a Hugging Face model folder: model.safetensors, or shards named by
// model.safetensors.index.json.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "checkpoint/file_record.h"
#include "checkpoint/named_tensor.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/safetensors_writer.h"
#include "core/tensor/tensor.h"

namespace frond {

class HfWeights {
 public:
  // Opens every file and checks that each tensor the index names is where it says. Shards that are
  // missing, and tensors that are absent from theirs, are errors.
  static absl::StatusOr<HfWeights> Open(const std::string& folder);

  const std::string& folder() const { return folder_; }
  // Sorted. A tensor that a shard holds beside what the index names is listed too.
  std::vector<std::string> names() const;
  const SafetensorsEntry* Find(absl::string_view name) const;  // null if absent
  // The file that holds `name`; empty if absent.
  std::string FileOf(absl::string_view name) const;
  // As SafetensorsReader does.
  absl::Status Read(absl::string_view name, View out, Allocator* memory = nullptr) const;
  absl::Status ReadMaster(absl::string_view name, const NamedTensor& out) const;

 private:
  absl::Status OpenShards();
  absl::StatusOr<const SafetensorsReader*> ReaderOf(absl::string_view name) const;

  std::string folder_;
  std::map<std::string, std::unique_ptr<SafetensorsReader>> files_;  // by file name
  std::map<std::string, const SafetensorsReader*, std::less<>> tensors_;
};

struct HfWriteOptions {
  DType dtype = DType::kF32;  // kF32 or kBF16; kF64 only for tests
  // A shard closes before it would exceed this; a larger tensor has a shard of its own.
  uint64_t max_shard_bytes = 5'000'000'000;
};

// Floating tensors in the order given: one file where all fit, else shards
// model-00001-of-00003.safetensors. Paths are relative to the model's folder.
std::vector<PlannedFile> PlanHfWeights(std::span<const NamedTensor> tensors,
                                       const HfWriteOptions& options);

// Adds the index of the shards' tensors, where there are several.
absl::Status WriteHfIndex(const std::string& folder, std::span<const PlannedFile> shards,
                          std::vector<FileRecord>& records);

// Writes whole tensors as planned, with their index, into an existing folder that holds no weights
// yet. The records name paths relative to `folder`.
absl::StatusOr<std::vector<FileRecord>> WriteHfWeights(const std::string& folder,
                                                       std::span<const NamedTensor> tensors,
                                                       const HfWriteOptions& options);

}  // namespace frond
