// Safetensors files: an 8-byte little-endian header length, a JSON header {name: {dtype, shape,
// data_offsets}}, then the tensors' bytes (https://github.com/huggingface/safetensors).
//
// Reading them; checkpoint/safetensors_writer.h writes. Nothing in a file is believed before it is
// checked: a Status names the file, the tensor and the value that is wrong.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "checkpoint/named_tensor.h"
#include "checkpoint/stored_type.h"
#include "core/base/file.h"
#include "core/ops/master.h"
#include "core/tensor/tensor.h"

namespace frond {

// One tensor of a file.
struct SafetensorsEntry {
  std::string name;
  StoredType type = StoredType::kF32;
  std::vector<int64_t> dims;
  absl::string_view bytes;  // into the file

  std::string ShapeToString() const;  // "[3, 4]"
};

// Fills `piece` with the elements of a slice of the entry from number `first` of the slice on,
// converted.
absl::Status DecodePiece(const SafetensorsEntry& entry, const ParamSlice& slice, int64_t first,
                         View piece);

class SafetensorsReader {
 public:
  // Maps the file and checks the whole header: that it is JSON without duplicate names, and that
  // the tensors' byte ranges have the sizes their shapes ask for and tile the rest of the file.
  static absl::StatusOr<std::unique_ptr<SafetensorsReader>> Open(const std::string& path);
  // The same over bytes that outlive the reader; `label` stands for the path in errors.
  static absl::StatusOr<std::unique_ptr<SafetensorsReader>> FromBytes(absl::string_view label,
                                                                      absl::string_view bytes);

  const std::string& path() const { return path_; }
  // In the order of their bytes.
  std::span<const SafetensorsEntry> entries() const { return entries_; }
  const SafetensorsEntry* Find(absl::string_view name) const;  // null if absent
  // The texts under "__metadata__".
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  // Fills `out`, whose shape must be the stored one, converting as DecodeElements does. `out` lies
  // in `memory` (null: the host's); a device gets it in pieces.
  absl::Status Read(absl::string_view name, View out, Allocator* memory = nullptr) const;
  // Fills the master `out`, under whatever name, as WriteMaster stores it. The shape of the whole
  // tensor must be the stored one; of a part only its own elements are read.
  absl::Status ReadMaster(absl::string_view name, const NamedTensor& out) const;

 private:
  explicit SafetensorsReader(absl::string_view label) : path_(label) {}
  absl::Status Parse(absl::string_view bytes);
  // Checks that the tensor is there, in this shape and convertible.
  absl::StatusOr<const SafetensorsEntry*> FindFor(absl::string_view name, const Shape& shape,
                                                  DType dtype) const;

  std::string path_;
  std::unique_ptr<MappedFile> file_;  // null over borrowed bytes
  std::vector<SafetensorsEntry> entries_;
  std::unordered_map<std::string, size_t> index_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace frond
