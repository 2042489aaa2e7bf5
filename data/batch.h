// What a model consumes: examples laid end to end, without padding.
#pragma once

#include <cstdint>
#include <vector>

namespace frond {

// The examples of one micro-batch. Source and target tokens of example i are
// source_ids[source_offsets[i] .. source_offsets[i+1]) and target_ids[target_offsets[i] ..
// target_offsets[i+1]); both sides end with the end-of-sequence id, truncated ones too.
// Host memory only.
struct Batch {
  std::vector<int32_t> source_ids;
  std::vector<int32_t> source_offsets = {0};  // [n + 1]
  std::vector<int32_t> target_ids;
  std::vector<int32_t> target_offsets = {0};  // [n + 1]

  // Names example i independently of packing, micro-batching and mesh: its ordinal in the stream.
  // Keys dropout.
  std::vector<uint64_t> example_keys;  // [n]
  // Where example i comes from: index of its leaf in the mixture, for the per-language report.
  std::vector<int32_t> leaf;  // [n]
  // Which template made it, for the per-template report; -1: none.
  std::vector<int32_t> templates;  // [n]

  int64_t num_examples() const { return static_cast<int64_t>(source_offsets.size()) - 1; }
  int64_t num_source_tokens() const { return static_cast<int64_t>(source_ids.size()); }
  int64_t num_target_tokens() const { return static_cast<int64_t>(target_ids.size()); }
};

}  // namespace frond
