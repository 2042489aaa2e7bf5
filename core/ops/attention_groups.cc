#include "core/ops/attention_groups.h"

#include <algorithm>
#include <limits>
#include <span>

#include "core/base/check.h"
#include "core/ops/rounded_size.h"

namespace frond {
namespace {

constexpr int64_t kLengthUnit = 128;  // the tiles that cuDNN rounds its workspace to

int64_t RoundedLength(int64_t length) {
  return kLengthUnit * RoundedSize((length + kLengthUnit - 1) / kLengthUnit);
}

int64_t Queries(const AttentionSpec& spec, int32_t s) {
  return spec.query_end[static_cast<size_t>(s)] - spec.query_begin[static_cast<size_t>(s)];
}
int64_t Keys(const AttentionSpec& spec, int32_t s) {
  return spec.key_end[static_cast<size_t>(s)] - spec.key_begin[static_cast<size_t>(s)];
}

// Of the batch that `group` becomes with one segment more.
BatchSizes SizesWith(const AttentionSpec& spec, const SegmentGroup& group, int32_t segment) {
  return {
      .batch = RoundedSize(static_cast<int64_t>(group.segments.size()) + 1),
      .longest_query = std::max(group.sizes.longest_query, RoundedLength(Queries(spec, segment))),
      .longest_key = std::max(group.sizes.longest_key, RoundedLength(Keys(spec, segment)))};
}

// The rows of `rows` that are in none of `segments`, which lie in rising order.
std::vector<RowRange> RowsOutside(std::span<const int32_t> begin, std::span<const int32_t> end,
                                  const std::vector<int32_t>& segments, int64_t rows) {
  std::vector<RowRange> outside;
  int64_t covered = 0;
  const auto skip_to = [&](int64_t row) {
    if (row > covered) outside.push_back({covered, row});
  };
  for (const int32_t s : segments) {
    const auto at = static_cast<size_t>(s);
    CHECK_GE(begin[at], covered) << "segment " << s << " lies over or before an earlier one";
    skip_to(begin[at]);
    covered = end[at];
  }
  skip_to(rows);
  return outside;
}

AttentionGroups Group(const AttentionSpec& spec, int64_t query_rows, int64_t key_rows,
                      int64_t most_scores) {
  std::vector<int32_t> segments;
  for (int32_t s = 0; s < static_cast<int32_t>(spec.query_begin.size()); ++s) {
    if (Queries(spec, s) > 0 && Keys(spec, s) > 0) segments.push_back(s);
  }
  AttentionGroups made = {
      .idle_queries = RowsOutside(spec.query_begin, spec.query_end, segments, query_rows),
      .idle_keys = RowsOutside(spec.key_begin, spec.key_end, segments, key_rows)};
  std::stable_sort(segments.begin(), segments.end(), [&](int32_t a, int32_t b) {
    return Queries(spec, a) * Keys(spec, a) > Queries(spec, b) * Keys(spec, b);
  });
  std::vector<SegmentGroup>& groups = made.groups;
  for (const int32_t s : segments) {
    if (groups.empty() || SizesWith(spec, groups.back(), s).scores_per_head() > most_scores) {
      groups.emplace_back();
    }
    groups.back().sizes = SizesWith(spec, groups.back(), s);
    groups.back().segments.push_back(s);
  }
  for (SegmentGroup& group : groups) std::sort(group.segments.begin(), group.segments.end());
  return made;
}

}  // namespace

int64_t AttentionGroups::most_scores_per_head() const {
  int64_t most = 0;
  for (const SegmentGroup& group : groups) most = std::max(most, group.sizes.scores_per_head());
  return most;
}

AttentionGroups ForwardGroups(const AttentionSpec& spec, int64_t query_rows, int64_t key_rows) {
  return Group(spec, query_rows, key_rows, std::numeric_limits<int64_t>::max());
}

AttentionGroups GradientGroups(const AttentionSpec& spec, int64_t query_rows, int64_t key_rows) {
  return Group(spec, query_rows, key_rows, kMostScoreBytes / (kBytesPerScore * spec.num_heads));
}

}  // namespace frond
