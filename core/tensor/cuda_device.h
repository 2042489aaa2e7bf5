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

struct CudaAllocatorOptions {
  // Launch repeated work (core/tensor/repeated_work.h) as CUDA graphs. Tensors made while it is
  // captured lie in memory that is kept for it; what of that is free counts as workspace.
  bool graphs = false;
};

// Memory of a device, taken and freed in the order of one stream, which belongs to the allocator
// and on which all ops of its contexts run. Used by one thread at a time.
absl::StatusOr<std::unique_ptr<Allocator>> CreateCudaAllocator(
    int device, const CudaAllocatorOptions& options = {});

// How repeated work was launched by an allocator that CreateCudaAllocator made.
struct CudaGraphCounts {
  int64_t plain_runs = 0;    // op by op, the first of their key
  int64_t launches = 0;      // of graphs
  int64_t instantiated = 0;  // of those, with a new executable graph; the others took over one
  int64_t nodes = 0;         // kernels, copies and fills in the graphs launched
};
CudaGraphCounts CountCudaGraphs(const Allocator& memory);

}  // namespace frond
