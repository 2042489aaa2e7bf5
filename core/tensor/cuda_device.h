// NVIDIA GPUs, seen from outside the CUDA backend: what is there, and memory on one of them. A
// build without CUDA has none.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/tensor/allocator.h"

namespace frond {

struct CudaDeviceInfo {
  std::string name;
  int64_t memory_bytes = 0;
  int num_multiprocessors = 0;
  int compute_capability = 0;  // 90 for an H100
  std::string bus;             // the card's place in its host, whatever number a process sees
};

// The number of usable devices. Where it is 0, `why` (if not null) says what is missing.
int CudaDeviceCount(std::string* why);

absl::StatusOr<CudaDeviceInfo> ReadCudaDevice(int device);

// Memory of a device, taken and freed in the order of one stream, which belongs to the allocator
// and on which all ops of its contexts run. Used by one thread at a time.
absl::StatusOr<std::unique_ptr<Allocator>> CreateCudaAllocator(int device);

}  // namespace frond
