// The world of a build without MPI.
#include <cstdlib>

#include "dist/local_communicator.h"
#include "dist/world.h"

namespace frond {

absl::StatusOr<std::unique_ptr<Communicator>> CreateWorldCommunicator(int&, char**&) {
  return std::unique_ptr<Communicator>(std::make_unique<LocalCommunicator>());
}

void AbortWorld(int exit_code) { std::_Exit(exit_code); }

}  // namespace frond
