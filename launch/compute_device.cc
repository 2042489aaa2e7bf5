#include "launch/compute_device.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/host_name.h"
#include "core/base/human_numbers.h"
#include "core/base/status_macros.h"
#include "core/tensor/cuda_device.h"
#include "launch/agree.h"
#include "launch/available_memory.h"

namespace frond {
namespace {

// Where a rank stands among those of its host.
struct HostPlace {
  int rank = 0;
  int ranks = 1;
};

HostPlace PlaceOnHost(Communicator& world) {
  const std::vector<std::string> hosts = world.AllGatherBytes(HostName());
  const auto mine = hosts.begin() + world.rank();
  return {.rank = static_cast<int>(std::count(hosts.begin(), mine, *mine)),
          .ranks = static_cast<int>(std::count(hosts.begin(), hosts.end(), *mine))};
}

// Sets `bus` to what names the GPU on its host.
absl::StatusOr<ComputeDevice> OpenGpu(const HostPlace& place, bool graphs, std::string* bus) {
  std::string why;
  const int gpus = CudaDeviceCount(&why);
  if (gpus == 0) return absl::FailedPreconditionError(absl::StrCat("no GPU can be used: ", why));
  const int gpu = place.rank % gpus;
  ComputeDevice device;
  ASSIGN_OR_RETURN(const CudaDeviceInfo info, ReadCudaDevice(gpu));
  *bus = info.bus;
  ASSIGN_OR_RETURN(device.memory, CreateCudaAllocator(gpu, {.graphs = graphs}));
  device.rated_bf16_tflops = RatedBf16Tflops(info.name);
  device.description =
      absl::StrCat("GPU ", gpu, " of ", gpus, ": ", info.name, ", ", HumanBytes(info.memory_bytes));
  if (graphs) absl::StrAppend(&device.description, ", CUDA graphs");
  device.rank_bytes = info.memory_bytes;
  return device;
}

// Divides a GPU's memory among the ranks that have it. Ranks are counted by the card: a launcher
// may show each of them one GPU, which all of them call GPU 0. Collective.
void ShareGpu(Communicator& world, absl::string_view bus, ComputeDevice& device) {
  const std::vector<std::string> cards =
      world.AllGatherBytes(absl::StrCat(bus, " of ", HostName()));
  const auto& mine = cards[static_cast<size_t>(world.rank())];
  const auto sharing = std::count(cards.begin(), cards.end(), mine);
  device.rank_bytes /= sharing;
  if (sharing > 1) absl::StrAppend(&device.description, ", shared by ", sharing, " ranks");
}

ComputeDevice OpenCpu(const HostPlace& place, absl::string_view why) {
  const int64_t available = AvailableHostMemory();
  return {.memory = std::make_unique<CpuAllocator>(),
          .description = absl::StrCat("CPU", why),
          .rank_bytes = available < 0 ? available : available / place.ranks};
}

}  // namespace

absl::StatusOr<ComputeDevice> OpenComputeDevice(config::Device wanted, Communicator& world,
                                                bool cuda_graphs) {
  if (cuda_graphs && wanted != config::CUDA) {
    return absl::InvalidArgumentError(absl::StrCat("the device is ", config::Device_Name(wanted),
                                                   "; with CUDA graphs it must be CUDA"));
  }
  const HostPlace place = PlaceOnHost(world);
  if (wanted == config::CPU) return OpenCpu(place, "");
  std::string bus;
  absl::StatusOr<ComputeDevice> gpu = OpenGpu(place, cuda_graphs, &bus);
  const absl::Status all = AgreeOnStatus(world, gpu.status());
  if (all.ok()) {
    ShareGpu(world, bus, *gpu);
    return gpu;
  }
  if (wanted == config::AUTO) {
    return OpenCpu(place, absl::StrCat(" (", std::string(all.message()), ")"));
  }
  return absl::Status(all.code(), absl::StrCat("device is CUDA, but ", std::string(all.message())));
}

absl::StatusOr<config::Device> ParseDevice(absl::string_view text) {
  config::Device device = config::AUTO;
  if (config::Device_Parse(absl::AsciiStrToUpper(text), &device)) return device;
  return absl::InvalidArgumentError(
      absl::StrCat("the device is '", text, "', expected CPU, CUDA or AUTO"));
}

double RatedBf16Tflops(absl::string_view name) {
  if (absl::StrContains(name, "H100 PCIe")) return 756.5;
  if (absl::StrContains(name, "H100 NVL")) return 835.5;
  if (absl::StrContains(name, "H100") || absl::StrContains(name, "H200")) return 989.4;
  if (absl::StrContains(name, "A100")) return 312;
  return 0;
}

}  // namespace frond
