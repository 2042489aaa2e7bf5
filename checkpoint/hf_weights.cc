#include "checkpoint/hf_weights.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/check.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"

namespace frond {
namespace {

using Json = nlohmann::json;

constexpr char kSingleFile[] = "model.safetensors";
constexpr char kIndexFile[] = "model.safetensors.index.json";

absl::Status BadIndex(const std::string& path, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("'", path, "': ", what));
}

// Tensor name -> file name.
absl::StatusOr<std::map<std::string, std::string>> ReadIndex(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const Json index = Json::parse(text, nullptr, false);
  if (index.is_discarded()) return BadIndex(path, "not JSON");
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
    return BadIndex(path, "has no weight_map");
  }
  std::map<std::string, std::string> map;
  for (const auto& [name, file] : index["weight_map"].items()) {
    if (!file.is_string()) {
      return BadIndex(path, absl::StrCat("the file of tensor '", name, "' is not a text"));
    }
    const std::string& file_name = file.get_ref<const std::string&>();
    if (file_name.empty() || file_name.find('/') != std::string::npos || file_name[0] == '.') {
      return BadIndex(path, absl::StrCat("tensor '", name, "' is said to be in '", file_name,
                                         "', which is not a file of this folder"));
    }
    map[name] = file_name;
  }
  if (map.empty()) return BadIndex(path, "names no tensor");
  return map;
}

absl::Status NoWeights(const std::string& folder) {
  if (!IsDirectory(folder)) {
    return absl::NotFoundError(absl::StrCat("model folder '", folder, "' does not exist"));
  }
  const bool pickled = PathExists(JoinPath(folder, "pytorch_model.bin")) ||
                       PathExists(JoinPath(folder, "pytorch_model.bin.index.json"));
  return absl::NotFoundError(absl::StrCat(
      "model folder '", folder, "' has neither ", kSingleFile, " nor ", kIndexFile,
      pickled ? "; it has pytorch_model.bin: save it again with safe_serialization=True" : ""));
}

// How many leading specs from `first` on fit one shard; at least one.
size_t CountForShard(std::span<const SafetensorsSpec> specs, size_t first, uint64_t max_bytes) {
  uint64_t bytes = 0;
  size_t end = first;
  for (; end < specs.size(); ++end) {
    bytes += specs[end].bytes();
    if (bytes > max_bytes && end > first) break;
  }
  return end - first;
}

}  // namespace

absl::StatusOr<HfWeights> HfWeights::Open(const std::string& folder) {
  HfWeights weights;
  weights.folder_ = folder;
  const std::string single = JoinPath(folder, kSingleFile);
  if (!PathExists(single)) {
    RETURN_IF_ERROR(weights.OpenShards());
    return weights;
  }
  ASSIGN_OR_RETURN(auto reader, SafetensorsReader::Open(single));
  for (const SafetensorsEntry& entry : reader->entries()) {
    weights.tensors_[entry.name] = reader.get();
  }
  weights.files_[kSingleFile] = std::move(reader);
  return weights;
}

absl::Status HfWeights::OpenShards() {
  const std::string index_path = JoinPath(folder_, kIndexFile);
  if (!PathExists(index_path)) return NoWeights(folder_);
  ASSIGN_OR_RETURN(const auto map, ReadIndex(index_path));
  for (const auto& [name, file_name] : map) {
    std::unique_ptr<SafetensorsReader>& reader = files_[file_name];
    if (reader == nullptr) {
      const std::string path = JoinPath(folder_, file_name);
      if (!PathExists(path)) {
        return absl::NotFoundError(absl::StrCat("shard '", path, "' is missing; '", index_path,
                                                "' says that it holds tensor '", name, "'"));
      }
      ASSIGN_OR_RETURN(reader, SafetensorsReader::Open(path));
    }
    if (reader->Find(name) == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("'", index_path, "' says that tensor '", name,
                                                     "' is in '", file_name,
                                                     "', but it is not there"));
    }
    tensors_[name] = reader.get();
  }
  for (const auto& [file_name, reader] : files_) {
    for (const SafetensorsEntry& entry : reader->entries()) {
      tensors_.emplace(entry.name, reader.get());
    }
  }
  return absl::OkStatus();
}

std::vector<std::string> HfWeights::names() const {
  std::vector<std::string> names;
  for (const auto& [name, reader] : tensors_) names.push_back(name);
  return names;
}

const SafetensorsEntry* HfWeights::Find(absl::string_view name) const {
  const auto it = tensors_.find(std::string(name));
  return it == tensors_.end() ? nullptr : it->second->Find(name);
}

std::string HfWeights::FileOf(absl::string_view name) const {
  const auto it = tensors_.find(std::string(name));
  return it == tensors_.end() ? "" : it->second->path();
}

absl::StatusOr<const SafetensorsReader*> HfWeights::ReaderOf(absl::string_view name) const {
  const auto it = tensors_.find(std::string(name));
  if (it != tensors_.end()) return it->second;
  return absl::NotFoundError(
      absl::StrCat("model folder '", folder_, "' has no tensor '", name, "'"));
}

absl::Status HfWeights::Read(absl::string_view name, View out, Allocator* memory) const {
  ASSIGN_OR_RETURN(const SafetensorsReader* reader, ReaderOf(name));
  return reader->Read(name, out, memory);
}

absl::Status HfWeights::ReadMaster(absl::string_view name, const NamedTensor& out) const {
  ASSIGN_OR_RETURN(const SafetensorsReader* reader, ReaderOf(name));
  return reader->ReadMaster(name, out);
}

std::vector<PlannedFile> PlanHfWeights(std::span<const NamedTensor> tensors,
                                       const HfWriteOptions& options) {
  std::vector<SafetensorsSpec> specs;
  for (const NamedTensor& tensor : tensors) {
    specs.push_back({tensor.name, options.dtype, tensor.whole_shape()});
  }
  std::vector<size_t> begins = {0};
  while (begins.back() < specs.size()) {
    begins.push_back(begins.back() + CountForShard(specs, begins.back(), options.max_shard_bytes));
  }
  const size_t count = begins.size() - 1;
  std::vector<PlannedFile> shards(count);
  for (size_t i = 0; i < count; ++i) {
    for (size_t t = begins[i]; t < begins[i + 1]; ++t) shards[i].tensors.push_back(t);
    shards[i].layout = LayOutSafetensors(
        count == 1 ? kSingleFile : absl::StrFormat("model-%05d-of-%05d.safetensors", i + 1, count),
        std::vector<SafetensorsSpec>(specs.begin() + static_cast<long>(begins[i]),
                                     specs.begin() + static_cast<long>(begins[i + 1])));
  }
  return shards;
}

absl::Status WriteHfIndex(const std::string& folder, std::span<const PlannedFile> shards,
                          std::vector<FileRecord>& records) {
  if (shards.size() <= 1) return absl::OkStatus();
  Json weight_map = Json::object();
  uint64_t total_bytes = 0;
  for (const PlannedFile& shard : shards) {
    for (const SafetensorsSpec& spec : shard.layout.specs) {
      CHECK(!weight_map.contains(spec.name)) << "tensor written twice: " << spec.name;
      weight_map[spec.name] = shard.layout.path;
      total_bytes += spec.bytes();
    }
  }
  Json index;
  index["metadata"] = {{"total_size", total_bytes}};
  index["weight_map"] = weight_map;
  ASSIGN_OR_RETURN(records.emplace_back(),
                   WriteRecordedFile(folder, kIndexFile, index.dump(2) + "\n"));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<FileRecord>> WriteHfWeights(const std::string& folder,
                                                       std::span<const NamedTensor> tensors,
                                                       const HfWriteOptions& options) {
  const std::vector<PlannedFile> shards = PlanHfWeights(tensors, options);
  std::vector<FileRecord> records;
  for (const PlannedFile& shard : shards) {
    ASSIGN_OR_RETURN(records.emplace_back(), WritePlannedFile(folder, shard, tensors));
  }
  RETURN_IF_ERROR(WriteHfIndex(folder, shards, records));
  return records;
}

}  // namespace frond
