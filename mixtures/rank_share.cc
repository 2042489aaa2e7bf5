#include "mixtures/rank_share.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <utility>

#include "core/base/check.h"

namespace frond {
namespace {

// Splits `rows` (indices into `costs`) among `parts`.
std::vector<std::vector<int32_t>> Split(std::span<const int64_t> costs, std::vector<int32_t> rows,
                                        int parts) {
  std::stable_sort(rows.begin(), rows.end(),
                   [&](int32_t a, int32_t b) { return costs[a] > costs[b]; });
  // Among equal loads the part with fewer rows comes first, so that rows without cost spread too.
  struct Load {
    int64_t cost;
    int64_t rows;
    int part;
    auto operator<=>(const Load&) const = default;
  };
  std::priority_queue<Load, std::vector<Load>, std::greater<>> loads;
  for (int part = 0; part < parts; ++part) loads.push({0, 0, part});
  std::vector<std::vector<int32_t>> split(parts);
  for (const int32_t row : rows) {
    Load least = loads.top();
    loads.pop();
    split[least.part].push_back(row);
    least.cost += costs[row];
    ++least.rows;
    loads.push(least);
  }
  for (std::vector<int32_t>& part : split) std::sort(part.begin(), part.end());
  return split;
}

}  // namespace

RankShares ShareRows(std::span<const int64_t> costs, int ranks, int micro_batches) {
  CHECK_GE(ranks, 1);
  CHECK_GE(micro_batches, 1);
  std::vector<int32_t> rows(costs.size());
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int32_t>(i);
  RankShares shares;
  for (std::vector<int32_t>& rank_rows : Split(costs, std::move(rows), ranks)) {
    shares.push_back(Split(costs, std::move(rank_rows), micro_batches));
  }
  return shares;
}

}  // namespace frond
