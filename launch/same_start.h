// Ranks that were started with different programs or configs compute something else or wait for
// each other in vain: found before the first step.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "dist/communicator.h"

namespace frond {

// Checks that all ranks have rank 0's program and resolved config. The error is the same on every
// rank; it names the first rank that differs, its host, and the first line of the config that does.
// Collective over `world`.
absl::Status CheckSameStart(Communicator& world, absl::string_view config_text,
                            absl::string_view program_hash);

// Of the file that this process runs; empty where the system does not show it.
std::string ProgramHash();

}  // namespace frond
