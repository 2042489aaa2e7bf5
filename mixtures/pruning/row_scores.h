// A file of numbers for rows, such as `frond score` writes: a model's loss, or what another tool
// found.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace frond {

class RowScores {
 public:
  // Reads {"hash": "16 hexadecimal digits", FIELD: number, ...} from each line of the file, plain
  // or packed. The hash is XXH3 (64 bits) of a row as it stands in its file. Where a hash comes
  // again, the first line counts. Errors read `file:line: what`.
  static absl::StatusOr<RowScores> Read(const std::string& path, const std::string& field);

  // XXH3 of the unpacked lines.
  static absl::StatusOr<uint64_t> HashOfFile(const std::string& path);

  // The score of the row `line`; an error that says what to do where it has none.
  absl::StatusOr<double> Of(absl::string_view line) const;

  int64_t memory_bytes() const {
    return static_cast<int64_t>(scores_.capacity() * (2 * sizeof(uint64_t) + 1));
  }

 private:
  std::string path_;
  absl::flat_hash_map<uint64_t, double> scores_;
};

}  // namespace frond
