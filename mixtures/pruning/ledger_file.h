// The form of a ledger's file around what it lists, and reading back what it says of itself and of
// the files beside it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace frond {

struct LedgerFile {
  // A file that `frond prune` wrote.
  struct Output {
    std::string name;
    int64_t kept = 0;
  };
  std::string hash;
  std::vector<Output> outputs;
};

// The text of a file that lists `body` (lines), whose hash without the listed rows is `hash`.
std::string LedgerText(absl::string_view hash, absl::string_view body);

// Whether the text begins as a ledger does.
bool IsLedger(absl::string_view text);

// Compares the hash with the text; `path` is what errors call it.
absl::StatusOr<LedgerFile> ParseLedger(absl::string_view text, absl::string_view path);

}  // namespace frond
