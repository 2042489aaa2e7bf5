// How the tensors of a device travel between ranks: by NCCL, or through host memory.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "configs/train.pb.h"
#include "core/tensor/allocator.h"
#include "dist/communicator.h"

namespace frond {

struct DeviceGroup {
  std::unique_ptr<Communicator> nccl;  // null: the world serves
  std::string description;             // for people; empty where there is nothing to choose

  Communicator& Ranks(Communicator& world) const { return nccl != nullptr ? *nccl : world; }
};

// The group of all ranks of `world`, which outlives it. `device` is where they compute; for GPUs
// the calling thread's current one counts. AUTO takes NCCL where several ranks have a GPU each.
// NCCL where it cannot be is an error, the same on every rank. Collective.
absl::StatusOr<DeviceGroup> JoinDeviceGroup(config::Mesh::Collectives wanted, Device device,
                                            Communicator& world);

}  // namespace frond
