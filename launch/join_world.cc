#include "launch/join_world.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "dist/local_communicator.h"
#include "dist/world.h"

namespace frond {
namespace {

bool StartedByLauncher() {
  // Open MPI and its PRRTE; PMIx in general; MPICH, Intel MPI and srun --mpi=pmi2; MVAPICH.
  constexpr std::array kNames = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE",
                                 "MV2_COMM_WORLD_SIZE"};
  return std::any_of(kNames.begin(), kNames.end(),
                     [](const char* name) { return std::getenv(name) != nullptr; });
}

}  // namespace

absl::StatusOr<std::unique_ptr<Communicator>> JoinWorld(int& argc, char**& argv) {
  if (StartedByLauncher()) return CreateWorldCommunicator(argc, argv);
  return std::unique_ptr<Communicator>(std::make_unique<LocalCommunicator>());
}

}  // namespace frond
