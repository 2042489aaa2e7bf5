// A file as a stream of bytes, unpacked on the way where it is gzip or Zstandard.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace frond {

class ByteSource {
 public:
  // Recognises gzip (any number of members) and Zstandard (any number of frames) by their first
  // bytes. A file called .gz or .zst that is neither is an error, as is a folder or a missing file.
  static absl::StatusOr<std::unique_ptr<ByteSource>> Open(const std::string& path);

  virtual ~ByteSource() = default;

  // Reads up to `capacity` (> 0) unpacked bytes; 0 only at the end. A packed stream that is damaged
  // or ends early is an error that names the file.
  virtual absl::StatusOr<size_t> Read(char* buffer, size_t capacity) = 0;
};

}  // namespace frond
