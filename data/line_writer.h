// Writes lines of text to a new file, packed as Zstandard where its name ends in .zst.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/file.h"
#include "core/base/hash.h"

namespace frond {

class LineWriter {
 public:
  static absl::StatusOr<std::unique_ptr<LineWriter>> Create(const std::string& path);
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // `line` is without its end.
  absl::Status Append(absl::string_view line);
  // Syncs to the disk. A writer destroyed before leaves an incomplete file behind.
  absl::Status Close();
  // XXH3 of the lines so far with their ends, unpacked.
  uint64_t checksum() const { return hash_.Digest(); }

 private:
  struct Packer;
  LineWriter(std::unique_ptr<FileWriter> file, std::unique_ptr<Packer> packer);
  absl::Status Flush(bool last);

  std::unique_ptr<FileWriter> file_;
  std::unique_ptr<Packer> packer_;  // nullptr: plain
  std::string buffer_;
  StreamingHash hash_;
};

}  // namespace frond
