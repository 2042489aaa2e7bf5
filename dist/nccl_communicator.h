// Ranks with a GPU each, by NCCL; a group of host processes (MPI) starts them and keeps serving
// what lies in host memory.
//
// Collectives run on a stream of their own, one for all groups of a rank, so that every rank's GPU
// sees them in the order in which they were called: work that was given to the context before the
// call comes before, Pending::Wait makes later work of the context wait, and the host waits for
// neither. The watchdog polls NCCL's asynchronous errors and the end of what was started; an error
// or a time-out aborts the group and ends the job. NCCL cannot compare calls ahead of the data:
// calls that do not match end by time-out, and the message says what the ranks of the machine are
// at.
//
// Determinism: NCCL adds in an order that its choice of algorithm fixes. For the same ranks, cards,
// NCCL release, settings and count the result is the same bits on every rank and from run to run;
// it differs from the host groups' by rounding. NVIDIA promises nothing for sums inside the NVLink
// switch; NCCL_ALGO=^NVLS,NVLSTree leaves them out.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "dist/communicator.h"

namespace frond {

struct NcclOptions {
  double start_timeout_seconds = 300;  // for all ranks to come together
};

// The ranks of `host`, which outlives the group, each with the GPU that is current for its calling
// thread. Operands of a CPU context go to `host`. Two ranks on one GPU are an error, the same on
// every rank, as is a build without NCCL; NCCL's own failures end the job. Collective over `host`.
absl::StatusOr<std::unique_ptr<Communicator>> CreateNcclCommunicator(Communicator& host,
                                                                     const NcclOptions& options);

}  // namespace frond
