// What the limits of a mixture mean for its leaves: sets of leaves with bounds on their shares.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "mixtures/mixture_tree.h"
#include "mixtures/share_bounds.h"

namespace frond {

// A leaf as limits see it.
struct LeafPath {
  std::vector<std::string> groups;  // all that it lies in
  std::string dataset, language, template_id;
  double examples = 0;
};

// One bound for each set of leaves that a limit holds for. `run_examples`: those the run is to see,
// 0 where that is not known. Errors: a name that no leaf has (with the nearest), bounds out of
// range, a limit of examples or epochs without run_examples.
absl::StatusOr<std::vector<ShareBound>> BoundsOfLimits(std::span<const ShareLimit> limits,
                                                       std::span<const LeafPath> leaves,
                                                       double run_examples);

}  // namespace frond
