// Texts that are needed again, kept on the disk instead of in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace frond {

// A file without a name: it goes when the object or the process does.
class ScratchFile {
 public:
  static absl::StatusOr<std::unique_ptr<ScratchFile>> Create(const std::string& folder);
  ~ScratchFile();
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  // Where `text` begins.
  absl::StatusOr<uint64_t> Append(absl::string_view text);
  absl::StatusOr<std::string> Read(uint64_t offset, size_t size);

 private:
  explicit ScratchFile(int fd) : fd_(fd) {}
  absl::Status Flush();

  int fd_;
  uint64_t written_ = 0;
  std::string buffer_;  // what follows the written bytes
};

}  // namespace frond
