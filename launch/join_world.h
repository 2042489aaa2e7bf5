// The ranks of this job, however it was launched.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "dist/communicator.h"

namespace frond {

// As CreateWorldCommunicator where a launcher (mpirun, srun) started this process. Alone it is a
// group of one without MPI, whose start takes a second, a daemon and room in /tmp.
absl::StatusOr<std::unique_ptr<Communicator>> JoinWorld(int& argc, char**& argv);

}  // namespace frond
