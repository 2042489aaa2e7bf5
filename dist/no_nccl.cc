// What nccl_communicator.h promises in a build without NCCL.
#include "dist/nccl_communicator.h"

namespace frond {

absl::StatusOr<std::unique_ptr<Communicator>> CreateNcclCommunicator(Communicator&,
                                                                     const NcclOptions&) {
  return absl::FailedPreconditionError("this build has no NCCL (FROND_NCCL is OFF)");
}

}  // namespace frond
