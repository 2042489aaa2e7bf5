// Writing a safetensors file, by one writer or by several at a time, each its own rows.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "checkpoint/file_record.h"
#include "checkpoint/named_tensor.h"
#include "checkpoint/safetensors_layout.h"
#include "core/base/file.h"

namespace frond {

// Whoever creates the file does it once, before anyone opens a writer; together the writers write
// the header and every row once. No more than a small buffer is held.
class SafetensorsWriter {
 public:
  // Makes the file at layout.path of `folder` (empty: layout.path is whole), with its size and no
  // contents. The folder must exist.
  static absl::Status CreateFile(const std::string& folder, const SafetensorsLayout& layout);
  // Opens the file that was created. `layout` outlives the writer.
  static absl::StatusOr<std::unique_ptr<SafetensorsWriter>> Open(const std::string& folder,
                                                                 const SafetensorsLayout& layout);

  absl::Status WriteHeader();
  // Rows of the file's tensor number `index`, in any memory: a part that has all columns (CHECKed).
  // Converted to the file's dtype from the master's exact numbers.
  absl::Status WriteRows(size_t index, const NamedTensor& rows);
  // Syncs what was written here to the disk.
  absl::StatusOr<std::vector<RangeShare>> Close();

 private:
  SafetensorsWriter(std::unique_ptr<RangeWriter> file, const SafetensorsLayout& layout)
      : file_(std::move(file)), layout_(&layout) {}

  std::unique_ptr<RangeWriter> file_;
  const SafetensorsLayout* layout_;
  std::vector<RangeShare> shares_;
  std::vector<char> buffer_;
};

// A file that is planned before it is written.
struct PlannedFile {
  SafetensorsLayout layout;
  // For each tensor of the file its number in the list that was planned.
  std::vector<size_t> tensors;
};

// One file of all of `tensors` in their own dtypes, wider elements first.
PlannedFile PlanSafetensors(const std::string& path, std::span<const NamedTensor> tensors);

// Writes a planned file alone, from whole tensors: `tensors` is the list that was planned.
absl::StatusOr<FileRecord> WritePlannedFile(const std::string& folder, const PlannedFile& file,
                                            std::span<const NamedTensor> tensors);

// Writes all of `tensors`, whole, in their own dtypes, wider elements first.
absl::StatusOr<FileRecord> WriteSafetensors(const std::string& path,
                                            std::span<const NamedTensor> tensors);

}  // namespace frond
