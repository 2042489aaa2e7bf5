// What a writer knows about a finished file, so that the commit record need not read it again.
#pragma once

#include <cstdint>
#include <string>

namespace frond {

struct FileRecord {
  std::string path;  // relative to the checkpoint folder
  uint64_t size = 0;
  uint64_t checksum = 0;  // XXH3, 64 bits, of all bytes

  bool operator==(const FileRecord&) const = default;
};

}  // namespace frond
