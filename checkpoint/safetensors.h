// Safetensors files: an 8-byte little-endian header length, a JSON header {name: {dtype, shape,
// data_offsets}}, then the tensors' bytes (https://github.com/huggingface/safetensors).
//
// Nothing in a file is believed before it is checked: a Status names the file, the tensor and the
// value that is wrong.
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
#include "checkpoint/file_record.h"
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

// A tensor as it will stand in a file.
struct SafetensorsSpec {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
};

// Writes one file, tensor after tensor: no more than a small buffer is held. A writer destroyed
// before Close() leaves an incomplete file, which the reader refuses.
class SafetensorsWriter {
 public:
  // `specs` in file order: names distinct, wider elements before narrower ones (CHECKed), so that
  // every tensor is aligned to its element.
  static absl::StatusOr<std::unique_ptr<SafetensorsWriter>> Create(
      const std::string& path, std::vector<SafetensorsSpec> specs);

  // The next tensor: `name` and the shape are those of its spec (CHECKed); a floating value is
  // converted to the spec's dtype. It lies in `memory` (null: the host's).
  absl::Status Append(absl::string_view name, ConstView value, Allocator* memory = nullptr);
  // The same for a master weight, from its exact numbers.
  absl::Status AppendMaster(absl::string_view name, const MasterView& master,
                            Allocator* memory = nullptr);
  // Syncs the file to the disk. All tensors must have been written (CHECKed). The record's path is
  // the one given to Create.
  absl::StatusOr<FileRecord> Close();

 private:
  SafetensorsWriter(std::string path, std::unique_ptr<FileWriter> file,
                    std::vector<SafetensorsSpec> specs);
  const SafetensorsSpec& NextSpec(absl::string_view name, const Shape& shape);
  // `value` in host memory.
  absl::Status AppendPiece(ConstView value, DType dtype);
  absl::Status AppendRaw(ConstView value);

  std::string path_;
  std::unique_ptr<FileWriter> file_;
  std::vector<SafetensorsSpec> specs_;
  size_t next_ = 0;
  std::vector<char> buffer_;
};

// Writes all of `tensors` in their own dtypes, wider elements first.
absl::StatusOr<FileRecord> WriteSafetensors(const std::string& path,
                                            std::span<const NamedTensor> tensors);

}  // namespace frond
