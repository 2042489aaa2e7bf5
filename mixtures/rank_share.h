// Which rank trains on which rows of a step. Every rank computes the whole answer for itself, so
// nothing is sent; loss and gradients are sums over the step's examples, so the split changes speed
// only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace frond {

// Rows of one step by [rank][micro-batch], each list ascending.
using RankShares = std::vector<std::vector<std::vector<int32_t>>>;

// Splits rows of these costs (e.g. tokens, >= 0) among `ranks` and then each rank's among its
// `micro_batches` (both >= 1): always the costliest row to the least loaded (LPT; Graham, "Bounds
// on multiprocessing timing anomalies", 1969), at most 4/3 of the best split's largest load.
// Deterministic. With fewer rows than places, some lists are empty.
RankShares ShareRows(std::span<const int64_t> costs, int ranks, int micro_batches);

}  // namespace frond
