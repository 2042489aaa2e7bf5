#include "data/batch_builder.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/base/check.h"

namespace frond {
namespace {

// Returns how many tokens were cut.
int64_t AppendSide(std::span<const int32_t> side, int32_t limit, std::vector<int32_t>* ids,
                   std::vector<int32_t>* offsets) {
  CHECK(!side.empty()) << "a side holds at least its end-of-sequence id";
  const size_t kept = std::min<size_t>(side.size(), limit);
  ids->insert(ids->end(), side.begin(), side.begin() + (kept - 1));
  ids->push_back(side.back());
  offsets->push_back(static_cast<int32_t>(ids->size()));
  return static_cast<int64_t>(side.size() - kept);
}

}  // namespace

TruncationCount& TruncationCount::operator+=(const TruncationCount& other) {
  examples += other.examples;
  source_tokens += other.source_tokens;
  target_tokens += other.target_tokens;
  return *this;
}

SideLengths TruncatedLengths(const SideLengths& lengths, const SideLengths& limits) {
  return {std::min(lengths.source, limits.source), std::min(lengths.target, limits.target)};
}

BatchBuilder::BatchBuilder(const SideLengths& limits) : limits_(limits) {
  CHECK_GE(limits.source, 1);
  CHECK_GE(limits.target, 1);
}

void BatchBuilder::Append(std::span<const int32_t> source, std::span<const int32_t> target,
                          uint64_t key, int32_t leaf, int32_t row_template) {
  const int64_t cut_source =
      AppendSide(source, limits_.source, &batch_.source_ids, &batch_.source_offsets);
  const int64_t cut_target =
      AppendSide(target, limits_.target, &batch_.target_ids, &batch_.target_offsets);
  batch_.example_keys.push_back(key);
  batch_.leaf.push_back(leaf);
  batch_.templates.push_back(row_template);
  truncation_.examples += cut_source > 0 || cut_target > 0;
  truncation_.source_tokens += cut_source;
  truncation_.target_tokens += cut_target;
}

Batch BatchBuilder::Take() { return std::exchange(batch_, Batch()); }

}  // namespace frond
