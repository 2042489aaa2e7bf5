// Lower and upper bounds on sums of probabilities: quotas, caps and limits on epochs.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace frond {

struct ShareBound {
  std::string what;        // for errors: `max_share 0.1 of language "fin"`
  std::vector<int> items;  // ascending
  double low = 0;
  double high = 1;
};

struct BoundedShares {
  std::vector<double> probabilities;
  // Per bound: what the probabilities of its items were multiplied by; 1: it does not bind.
  std::vector<double> factors;
};

// The probabilities within all bounds that are closest to `wanted` (least Kullback-Leibler
// divergence from it). They are `wanted` times a factor for each bound that binds and one for all:
// items under the same bounds keep their proportions, and what a bound takes from its items goes to
// all others in proportion to what they have. Bounds whose items are disjoint are met together and
// exactly; families that cross are met in turn until nothing moves (coordinate ascent of the dual,
// as in Csiszar 1975). `wanted` is normalised first; items without probability stay without. The
// bits are the same on every machine. Errors, in one line, name bounds that cannot be met.
absl::StatusOr<BoundedShares> BoundShares(std::span<const double> wanted,
                                          std::span<const ShareBound> bounds);

}  // namespace frond
