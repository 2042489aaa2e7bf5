// The ledger of a pruning: for every rule and leaf (source, dataset, language, template) how many
// rows the rule saw and dropped, with a digest of the dropped ones.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "data/example.h"
#include "mixtures/pruning/rule_options.h"

namespace frond {

// What is known of a source at the end.
struct SourceRecord {
  struct File {
    const std::string* path = nullptr;
    int64_t rows = 0;
    uint64_t hash = 0;  // each row's XXH3, seeded with that of the rows before
  };
  // Counts a row of the file at `path`; files come one after the other.
  void AddRow(const std::string& path, absl::string_view line);

  std::string name;
  std::string output;  // file name; empty: no file is written
  uint64_t output_hash = 0;
  int64_t rows = 0;
  int64_t kept = 0;
  int64_t gone_before = 0;  // rows that the rules did not see, as others had dropped them
  std::vector<File> files;
};

class Ledger {
 public:
  // With `list_hashes`, the hash of every dropped row is kept (8 bytes each) and listed.
  Ledger(const std::vector<RuleOptions>& rules, bool list_hashes);

  // The number of the row's leaf. A row without `dataset_name` is of the dataset named as its
  // source.
  int LeafOf(int source, const std::string& source_name, const Example& example);

  void AddRow(int leaf) { ++leaves_[static_cast<size_t>(leaf)].rows; }
  void AddKept(int leaf) { ++leaves_[static_cast<size_t>(leaf)].kept; }
  // Row by row, in their order.
  void AddSeen(int leaf, int rule) { At(leaf, rule).seen += 1; }
  void AddDropped(int leaf, int rule, uint64_t row_hash);

  // All values that rows had so far.
  std::vector<std::string> Languages() const;
  std::vector<std::string> Datasets() const;
  int64_t dropped(int rule) const;
  struct RuleCount {
    int64_t seen = 0;
    int64_t dropped = 0;
  };
  RuleCount CountOf(int rule, int source) const;

  struct Facts {
    uint64_t seed = 0;
    std::vector<SourceRecord> sources;
    std::vector<SourceRecord> evaluation;
  };
  // The ledger's file (docs/pruning.md), and its hash: XXH3 of the same text without the hash and
  // without listed rows. Nothing in it depends on folders, threads or the clock.
  std::string ToJson(const Facts& facts) const;
  std::string HashOf(const Facts& facts) const;
  // For the terminal: rules, sources, and the languages that lost the largest shares.
  std::string ToTable(const Facts& facts) const;

 private:
  struct Count {
    int64_t seen = 0;
    int64_t dropped = 0;
    uint64_t digest = 0;
    std::vector<uint64_t> hashes;
  };
  struct Leaf {
    int source = 0;
    std::string source_name, dataset, language, template_id;
    int64_t rows = 0;
    int64_t kept = 0;
    std::vector<Count> counts;  // of each rule
  };
  Count& At(int leaf, int rule) {
    return leaves_[static_cast<size_t>(leaf)].counts[static_cast<size_t>(rule)];
  }
  std::vector<const Leaf*> SortedLeaves() const;
  std::string Body(const Facts& facts, bool list_hashes) const;

  std::vector<RuleOptions> rules_;
  bool list_hashes_;
  std::vector<Leaf> leaves_;
  absl::flat_hash_map<std::string, int> index_;
  std::string key_;
};

}  // namespace frond
