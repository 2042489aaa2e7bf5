// Prunes instruction data: rows stream past the rules, the first rule that matches drops a row, and
// a ledger accounts for each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "mixtures/pruning/rule_options.h"

namespace frond {

struct PruneOptions {
  std::vector<PruneSource> sources;
  // Rows that duplicate those of these sets can be dropped.
  std::vector<PruneSource> evaluation;
  std::vector<RuleOptions> rules;
  uint64_t seed = 0;
  int threads = 1;
  // Receives SOURCE.jsonl or SOURCE.jsonl.zst for each source, and ledger.json; must be new or
  // empty, and no symbolic link; slashes at its end mean nothing. All of it is written beside and
  // renamed at the end: an error leaves nothing.
  std::string out_dir;
  bool zstd = true;
  // Receives the dropped rows with rule and reason, as JSON lines; empty: nowhere. Outside of
  // out_dir; no folder.
  std::string dropped_path;
  // List the hash of every dropped row in the ledger.
  bool list_hashes = false;
};

struct PruneReport {
  int64_t rows = 0;
  int64_t kept = 0;
  std::string ledger_hash;
  std::string table;         // for the terminal
  int64_t memory_bytes = 0;  // of the rules' tables at the end
};

// The same options and files give the same bytes for any number of threads. Reads the sources once,
// and once more for each rule that must see all rows before it decides. Memory does not grow with
// the rows but for the rules' tables, one bit a row where there are several passes, and the
// ledger's leaves.
absl::StatusOr<PruneReport> Prune(const PruneOptions& options);

}  // namespace frond
