// What the GPU's attention kernels are told beside their operands: one work item per tile, and the
// relative-position bias by distance. Plain host code.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/ops/attention.h"

namespace frond {

// A tile of one segment's queries or keys, which one block of threads computes for one head.
struct AttentionItem {
  int32_t query_begin, num_queries;  // the segment's rows of q
  int32_t key_begin, num_keys;       // the segment's rows of k
  int32_t offset;                    // the position of the segment's first query
  int32_t first;                     // the tile's first query or key, counted in the segment
};

// Tiles of `rows` queries (keys) that cover every segment, those with the most work first. Work is
// counted in (query, key) pairs that are seen, so that no tile of two segments exists and tiles
// that a causal mask hides cost nothing. Ties keep the segments' order.
std::vector<AttentionItem> QueryTiles(const AttentionSpec& spec, int rows);
std::vector<AttentionItem> KeyTiles(const AttentionSpec& spec, int rows);

// The buckets of the distances `key position - query position` from -before to after, beyond which
// the bucket stays the same.
struct BiasDistances {
  int before = 0, after = 0;
  std::vector<int32_t> bucket;  // [before + 1 + after], of -before first

  // Bucket b holds the elements [bucket_begin[b], bucket_end[b]) of `bucket`.
  std::vector<int32_t> bucket_begin, bucket_end;
};
BiasDistances MakeBiasDistances(const AttentionSpec& spec);

// Whether some of `rows` rows lie in no segment.
bool HasRowsInNoSegment(std::span<const int32_t> begin, std::span<const int32_t> end, int64_t rows);

}  // namespace frond
