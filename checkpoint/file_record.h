// What a writer knows about a finished file, so that the commit record need not read it again.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace frond {

struct FileRecord {
  std::string path;  // relative to the checkpoint folder
  uint64_t size = 0;
  uint64_t checksum = 0;  // XXH3, 64 bits, of all bytes

  bool operator==(const FileRecord&) const = default;
};

// Writes a new file at the relative path `name` of an existing folder and syncs it.
absl::StatusOr<FileRecord> WriteRecordedFile(const std::string& folder, const std::string& name,
                                             absl::string_view bytes);

}  // namespace frond
