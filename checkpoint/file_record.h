// What a writer knows about a finished file, so that the commit record need not read it again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace frond {

// Part of a file with a checksum of its own (checkpoint/cell_sum.h).
struct FileRange {
  std::string name;  // of the tensor; empty: the file's header
  uint64_t offset = 0;
  uint64_t bytes = 0;       // a multiple of cell_bytes
  uint64_t cell_bytes = 1;  // positive
  uint64_t checksum = 0;

  bool operator==(const FileRange&) const = default;
};

struct FileRecord {
  std::string path;  // relative to the checkpoint folder
  uint64_t size = 0;
  uint64_t checksum = 0;  // XXH3, 64 bits, of all bytes; unused where there are ranges
  // End to end from the file's first byte to its last; or none.
  std::vector<FileRange> ranges = {};

  bool operator==(const FileRecord&) const = default;
};

// Writes a new file at the relative path `name` of an existing folder and syncs it.
absl::StatusOr<FileRecord> WriteRecordedFile(const std::string& folder, const std::string& name,
                                             absl::string_view bytes);

}  // namespace frond
