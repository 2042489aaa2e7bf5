#include "core/ops/attention_plan.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"

namespace frond {
namespace {

AttentionItem Segment(const AttentionSpec& spec, size_t s) {
  AttentionItem item = {.query_begin = spec.query_begin[s],
                        .num_queries = spec.query_end[s] - spec.query_begin[s],
                        .key_begin = spec.key_begin[s],
                        .num_keys = spec.key_end[s] - spec.key_begin[s],
                        .offset = 0,
                        .first = 0};
  if (spec.causal && item.num_keys > 0) item.offset = item.num_keys - item.num_queries;
  return item;
}

// The tiles of `total(segment)` rows of each segment, by falling `work(item, rows of the tile)`.
template <class Total, class Work>
std::vector<AttentionItem> Tiles(const AttentionSpec& spec, int rows, const Total& total,
                                 const Work& work) {
  std::vector<std::pair<int64_t, AttentionItem>> weighed;
  for (size_t s = 0; s < spec.query_begin.size(); ++s) {
    AttentionItem item = Segment(spec, s);
    for (item.first = 0; item.first < total(item); item.first += rows) {
      weighed.emplace_back(work(item, std::min(rows, total(item) - item.first)), item);
    }
  }
  std::stable_sort(weighed.begin(), weighed.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<AttentionItem> items;
  items.reserve(weighed.size());
  for (const auto& [unused, item] : weighed) items.push_back(item);
  return items;
}

// The smallest distance from which on the bucket in the direction `sign` stays the same.
int Saturation(const AttentionSpec& spec, int sign) {
  const auto bucket = [&](int distance) {
    return RelativePositionBucket(int64_t{sign} * distance, spec.bidirectional, spec.num_buckets,
                                  spec.max_distance);
  };
  int distance = std::max(spec.max_distance, spec.num_buckets);
  const int last = bucket(distance);
  while (distance > 0 && bucket(distance - 1) == last) --distance;
  return distance;
}

}  // namespace

std::vector<AttentionItem> QueryTiles(const AttentionSpec& spec, int rows) {
  return Tiles(
      spec, rows, [](const AttentionItem& item) { return item.num_queries; },
      [&](const AttentionItem& item, int count) {
        const int last = item.offset + item.first + count;
        return int64_t{count} * (spec.causal ? std::min(item.num_keys, last) : item.num_keys);
      });
}

std::vector<AttentionItem> KeyTiles(const AttentionSpec& spec, int rows) {
  return Tiles(
      spec, rows, [](const AttentionItem& item) { return item.num_keys; },
      [&](const AttentionItem& item, int count) {
        const int hidden = spec.causal ? std::max(0, item.first - item.offset) : 0;
        return int64_t{count} * std::max(0, item.num_queries - hidden);
      });
}

BiasDistances MakeBiasDistances(const AttentionSpec& spec) {
  BiasDistances d;
  d.before = Saturation(spec, -1);
  d.after = spec.causal ? 0 : Saturation(spec, 1);
  const int count = d.before + 1 + d.after;
  d.bucket_begin.assign(spec.num_buckets, 0);
  d.bucket_end.assign(spec.num_buckets, 0);
  for (int i = 0; i < count; ++i) {
    const int b = RelativePositionBucket(i - d.before, spec.bidirectional, spec.num_buckets,
                                         spec.max_distance);
    const bool is_new = d.bucket_end[b] == 0;
    CHECK(is_new || d.bucket_end[b] == i) << "bucket " << b << " has distances in two places";
    if (is_new) d.bucket_begin[b] = i;
    d.bucket_end[b] = i + 1;
    d.bucket.push_back(b);
  }
  return d;
}

bool HasRowsInNoSegment(std::span<const int32_t> begin, std::span<const int32_t> end,
                        int64_t rows) {
  std::vector<std::pair<int32_t, int32_t>> ranges;
  for (size_t s = 0; s < begin.size(); ++s) ranges.emplace_back(begin[s], end[s]);
  std::sort(ranges.begin(), ranges.end());
  int64_t covered = 0;
  for (const auto& [first, last] : ranges) {
    if (first > covered) return true;
    covered = std::max<int64_t>(covered, last);
  }
  return covered < rows;
}

}  // namespace frond
