// The group of all processes of a job. MPI is the only bootstrap; its types stay in this folder.
//
// A job is launched by `mpirun -n N frond ...`, or alone as a group of one. A rank that dies (a
// signal, a failed CHECK, an exit without leaving the group) makes mpirun end all others. A rank
// that fails alone must leave by AbortWorld: destroying the group waits for the other ranks.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "dist/communicator.h"

namespace frond {

// The group of all processes, in rank order; one process where the build has no MPI. Call it once,
// from the main thread, and destroy it after every group split from it, at the end of the process.
// Collective over the job. May remove the launcher's arguments from argv.
absl::StatusOr<std::unique_ptr<Communicator>> CreateWorldCommunicator(int& argc, char**& argv);

// Ends every rank of the job at once, this one with `exit_code`.
[[noreturn]] void AbortWorld(int exit_code);

}  // namespace frond
