// Runs the cells of an ablation, one after the other or shared out over ranks and processes.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "configs/ablation_grid.h"
#include "dist/communicator.h"

namespace frond {

struct AblationOutcome {
  int64_t ran = 0;                       // cells that were finished
  std::vector<std::string> failed = {};  // "name: error"
  absl::Status first_error = {};         // of a failed cell
  bool stopped = false;                  // by a signal; what is done is saved
};

// The ranks form groups of `ranks_per_cell`, and each group takes the next cell of `cells` (numbers
// of grid.runs) that is not done, is not locked by another process, and has not failed since the
// start. A failed cell does not keep the others from being run. The result is the same on all
// ranks. Collective over `world`.
absl::StatusOr<AblationOutcome> RunCells(const AblationGrid& grid, const std::vector<size_t>& cells,
                                         Communicator& world);

}  // namespace frond
