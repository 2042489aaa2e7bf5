// The order of the data: an endless sequence of windows of examples that is a pure function of
// (mixture, seed, window size). Which examples a window holds follows from its number alone, so
// seeking costs nothing and the order is the same for every number of ranks.
#pragma once

#include <cstdint>
#include <vector>

#include "mixtures/apportionment.h"
#include "mixtures/mixture.h"

namespace frond {

// One draw of the stream.
struct StreamExample {
  int32_t leaf = 0;            // index into Mixture::leaves()
  uint64_t index_in_leaf = 0;  // which of the leaf's examples
  uint64_t epoch = 0;          // how often the leaf was gone through before
  uint64_t ordinal = 0;        // place in the stream, unique: window * window size + place in it

  bool operator==(const StreamExample&) const = default;
};

constexpr uint64_t kDefaultWindow = 8192;

class Stream {
 public:
  // `window` >= 1: examples per window.
  Stream(const Mixture& mixture, uint64_t seed, uint64_t window = kDefaultWindow);

  // The `window()` examples of window `w`, in the order they are served. Before it, each leaf has
  // given its probability times w * window() examples, to less than one (apportionment.h). Within
  // an epoch of a leaf no example repeats. Costs O(leaves * log) and may be called from any thread.
  std::vector<StreamExample> Window(uint64_t w) const;

  // Which of `count` >= 1 variants an example is served as: those of a row follow each other from
  // epoch to epoch from one that is drawn anew every `count` epochs, so that no variant comes twice
  // before all came once. A pure function of seed, leaf, example and epoch.
  int64_t VariantOf(const StreamExample& example, int64_t count) const;

  // Examples that leaf `i` gives before window `w`, for all leaves; divided by its size: its
  // epochs.
  std::vector<uint64_t> CountsBefore(uint64_t w) const { return apportionment_.Around(w).before; }

  uint64_t window() const { return apportionment_.window(); }
  uint64_t seed() const { return seed_; }
  const std::vector<LeafInfo>& leaves() const { return leaves_; }
  // Equal for streams that serve the same examples in the same order.
  uint64_t hash() const;

 private:
  std::vector<LeafInfo> leaves_;
  std::vector<uint64_t> leaf_keys_;
  Apportionment apportionment_;
  uint64_t seed_;
  uint64_t manifest_hash_;
};

}  // namespace frond
