#include "launch/device_group.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "dist/nccl_communicator.h"

namespace frond {

absl::StatusOr<DeviceGroup> JoinDeviceGroup(config::Mesh::Collectives wanted, Device device,
                                            Communicator& world) {
  const bool is_wanted = wanted == config::Mesh::NCCL;
  if (is_wanted && device == Device::kCpu) {
    return absl::InvalidArgumentError(
        "mesh.gpu_collectives is NCCL, but the ranks compute on the CPU; set it to AUTO");
  }
  if (device == Device::kCpu || (world.size() == 1 && !is_wanted)) return DeviceGroup{};
  if (wanted == config::Mesh::STAGED) {
    return DeviceGroup{.nccl = nullptr, .description = "staged through host memory"};
  }
  absl::StatusOr<std::unique_ptr<Communicator>> nccl = CreateNcclCommunicator(world, {});
  if (nccl.ok()) return DeviceGroup{.nccl = *std::move(nccl), .description = "NCCL"};
  const std::string why(nccl.status().message());
  if (is_wanted) {
    return absl::Status(nccl.status().code(),
                        absl::StrCat("mesh.gpu_collectives is NCCL, but ", why));
  }
  return DeviceGroup{.nccl = nullptr,
                     .description = absl::StrCat("staged through host memory (", why, ")")};
}

}  // namespace frond
