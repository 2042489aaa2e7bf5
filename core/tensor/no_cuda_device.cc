// What cuda_device.h says where the build has no CUDA.
#include "core/tensor/cuda_device.h"

namespace frond {
namespace {

absl::Status NoCuda() {
  return absl::FailedPreconditionError("this build has no CUDA (see FROND_CUDA when configuring)");
}

}  // namespace

int CudaDeviceCount(std::string* why) {
  if (why != nullptr) *why = std::string(NoCuda().message());
  return 0;
}

absl::StatusOr<CudaDeviceInfo> ReadCudaDevice(int) { return NoCuda(); }

absl::StatusOr<std::unique_ptr<Allocator>> CreateCudaAllocator(int, const CudaAllocatorOptions&) {
  return NoCuda();
}

CudaGraphCounts CountCudaGraphs(const Allocator&) { return {}; }

}  // namespace frond
