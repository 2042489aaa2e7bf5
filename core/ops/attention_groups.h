// Segments as cuDNN's attention takes them: batches of a fixed size, of which lengths say what is
// filled. Plain host code.
//
// A plan holds for a batch's size and its longest query and key segments, and takes long to build.
// All three are rounded up, so that steps whose segments differ a little share their plans; what is
// added are segments without rows and rows behind a segment's end, which cost no work.
#pragma once

#include <cstdint>
#include <vector>

#include "core/ops/attention.h"

namespace frond {

// What a plan is made for.
struct BatchSizes {
  int64_t batch = 0, longest_query = 0, longest_key = 0;

  int64_t scores_per_head() const { return batch * longest_query * longest_key; }
};

struct SegmentGroup {
  BatchSizes sizes;               // at least the group's own
  std::vector<int32_t> segments;  // of the spec, rising
};

struct RowRange {
  int64_t begin, end;
  bool operator==(const RowRange&) const = default;
};

// Every segment with both queries and keys is in one group. The other rows of q and k are idle:
// their outputs and gradients are zero.
struct AttentionGroups {
  std::vector<SegmentGroup> groups;
  std::vector<RowRange> idle_queries, idle_keys;

  // Of the largest group; 0 where there is none.
  int64_t most_scores_per_head() const;
};

// Two bytes of workspace for every score of a group, of all heads, are what cuDNN's gradient takes
// if its bits are to repeat. Groups are cut so that this stays below kMostScoreBytes, which a group
// of one segment may exceed.
constexpr int64_t kBytesPerScore = 2;
constexpr int64_t kMostScoreBytes = int64_t{1} << 30;

// One group of all segments with queries and keys. Segments lie in rising order and do not overlap,
// here and in GradientGroups.
AttentionGroups ForwardGroups(const AttentionSpec& spec, int64_t query_rows, int64_t key_rows);
// Groups that keep to kMostScoreBytes: one, unless that is too large; then the segments with the
// most scores come first, so that a long one does not make room for itself in a batch of short
// ones.
AttentionGroups GradientGroups(const AttentionSpec& spec, int64_t query_rows, int64_t key_rows);

}  // namespace frond
