// What a run trains on: leaves, each a language of a source, with resolved probabilities. They come
// from a list of sources with weights, or from a tree (mixture_tree.h). Everything behind it
// (stream, rows, reports) sees leaves only; rules that weight or prune resolve to them before any
// index exists.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace frond {

struct LanguageCount {
  std::string language;
  uint64_t num_examples = 0;
};

// One dataset as it was found on disk, after filters.
struct SourceInfo {
  std::string name;
  double weight = 1;  // relative to the other sources
  std::vector<LanguageCount> languages;
  uint64_t content_hash = 0;  // of the examples themselves; 0: not known
};

struct LeafInfo {
  std::string source;
  std::string language;
  uint64_t num_examples = 0;
  double probability = 0;        // share of the stream
  std::string template_id = {};  // where a tree splits languages by template
};

// "source/language", or "source/language/template".
std::string LeafName(absl::string_view source, absl::string_view language,
                     absl::string_view template_id);

class Mixture {
 public:
  // Leaves come in the order of `sources` and of their languages; a leaf's probability is its
  // source's share of the weights times its language's share of the source's examples. Leaves
  // without weight or examples stay in the list and are never drawn.
  // Errors: no source, a weight that is negative or not finite, all weights zero, a weighted source
  // without examples, two sources of one name, a language twice in a source.
  static absl::StatusOr<Mixture> Create(const std::vector<SourceInfo>& sources);

  // Leaves in this order with these probabilities, which sum to 1 (to 1e-9); `contents` name what
  // the sources hold, for the hash. Errors: no leaf, probabilities that are negative or do not sum
  // to 1, a leaf with a probability but no example.
  static absl::StatusOr<Mixture> FromLeaves(std::vector<LeafInfo> leaves,
                                            const std::vector<uint64_t>& contents);

  const std::vector<LeafInfo>& leaves() const { return leaves_; }
  // Each leaf's probability as a whole number out of kShareOne (apportionment.h); sums to it.
  const std::vector<uint64_t>& shares() const { return shares_; }
  // Of names, counts, shares and contents: equal hashes give equal streams. The same on every
  // machine; kept in checkpoints.
  uint64_t manifest_hash() const { return manifest_hash_; }

 private:
  Mixture() = default;
  // Makes `shares_`, which rounding left a little off, sum to kShareOne, and the leaves'
  // probabilities theirs.
  void SettleShares();

  std::vector<LeafInfo> leaves_;
  std::vector<uint64_t> shares_;
  uint64_t manifest_hash_ = 0;
};

}  // namespace frond
