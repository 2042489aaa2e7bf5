// Ranks that meet an error alone tell the others before anyone stops.
#pragma once

#include "absl/status/status.h"
#include "dist/communicator.h"

namespace frond {

// The first error among the ranks' statuses (lowest rank first), the same on every rank; OK where
// all are. Collective over `world`.
absl::Status AgreeOnStatus(Communicator& world, const absl::Status& status);

}  // namespace frond
