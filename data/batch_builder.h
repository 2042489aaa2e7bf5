// Lays examples end to end into a Batch, cut to the row's limits.
#pragma once

#include <cstdint>
#include <span>

#include "data/batch.h"
#include "data/packing.h"

namespace frond {

struct TruncationCount {
  int64_t examples = 0;  // cut on either side
  int64_t source_tokens = 0;
  int64_t target_tokens = 0;

  TruncationCount& operator+=(const TruncationCount& other);
};

// What is left of an example of these lengths.
SideLengths TruncatedLengths(const SideLengths& lengths, const SideLengths& limits);

class BatchBuilder {
 public:
  // `limits` are at least 1.
  explicit BatchBuilder(const SideLengths& limits);

  // Appends one example whose sides end with the end-of-sequence id. A side that is too long keeps
  // its first limit - 1 ids and that last one. `key`, `leaf` and `row_template` are those of Batch.
  void Append(std::span<const int32_t> source, std::span<const int32_t> target, uint64_t key,
              int32_t leaf, int32_t row_template = -1);

  const Batch& batch() const { return batch_; }
  // The batch so far; the builder starts an empty one.
  Batch Take();

  // Of all examples appended so far, taken batches included.
  const TruncationCount& truncation() const { return truncation_; }

 private:
  SideLengths limits_;
  Batch batch_;
  TruncationCount truncation_;
};

}  // namespace frond
