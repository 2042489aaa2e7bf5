#include "checkpoint/hf_weights.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/check.h"
#include "core/base/file.h"
#include "core/base/hash.h"
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

// How many leading tensors from `first` on fit one shard; at least one.
size_t CountForShard(std::span<const NamedTensor> tensors, size_t first,
                     const HfWriteOptions& options) {
  uint64_t bytes = 0;
  size_t end = first;
  for (; end < tensors.size(); ++end) {
    bytes += static_cast<uint64_t>(tensors[end].value.num_elements()) * DTypeSize(options.dtype);
    if (bytes > options.max_shard_bytes && end > first) break;
  }
  return end - first;
}

absl::StatusOr<FileRecord> WriteShard(const std::string& folder, const std::string& file_name,
                                      std::span<const NamedTensor> tensors, DType dtype) {
  std::vector<SafetensorsSpec> specs;
  for (const NamedTensor& tensor : tensors) {
    specs.push_back({tensor.name, dtype, tensor.value.shape});
  }
  ASSIGN_OR_RETURN(auto writer,
                   SafetensorsWriter::Create(JoinPath(folder, file_name), std::move(specs)));
  for (const NamedTensor& tensor : tensors) {
    RETURN_IF_ERROR(writer->AppendMaster(tensor.name, tensor.master(), tensor.memory));
  }
  ASSIGN_OR_RETURN(FileRecord record, writer->Close());
  record.path = file_name;
  return record;
}

absl::StatusOr<FileRecord> WriteIndex(const std::string& folder, const Json& weight_map,
                                      uint64_t total_bytes) {
  Json index;
  index["metadata"] = {{"total_size", total_bytes}};
  index["weight_map"] = weight_map;
  const std::string text = index.dump(2) + "\n";
  RETURN_IF_ERROR(WriteFileAtomically(JoinPath(folder, kIndexFile), text));
  return FileRecord{kIndexFile, text.size(), Hash64(text)};
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

absl::StatusOr<std::vector<FileRecord>> WriteHfWeights(const std::string& folder,
                                                       std::span<const NamedTensor> tensors,
                                                       const HfWriteOptions& options) {
  std::vector<std::span<const NamedTensor>> shards;
  uint64_t total_bytes = 0;
  for (size_t first = 0; first < tensors.size(); first += shards.back().size()) {
    shards.push_back(tensors.subspan(first, CountForShard(tensors, first, options)));
  }
  Json weight_map = Json::object();
  std::vector<FileRecord> records;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string file_name =
        shards.size() == 1
            ? kSingleFile
            : absl::StrFormat("model-%05d-of-%05d.safetensors", i + 1, shards.size());
    ASSIGN_OR_RETURN(FileRecord record, WriteShard(folder, file_name, shards[i], options.dtype));
    records.push_back(std::move(record));
    for (const NamedTensor& tensor : shards[i]) {
      CHECK(!weight_map.contains(tensor.name)) << "tensor written twice: " << tensor.name;
      weight_map[tensor.name] = file_name;
      total_bytes += static_cast<uint64_t>(tensor.value.num_elements()) * DTypeSize(options.dtype);
    }
  }
  if (shards.size() <= 1) return records;
  ASSIGN_OR_RETURN(FileRecord index, WriteIndex(folder, weight_map, total_bytes));
  records.push_back(std::move(index));
  return records;
}

}  // namespace frond
