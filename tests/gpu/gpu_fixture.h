// A context on the first GPU for tests, or a skip that says why there is none.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "core/tensor/context.h"
#include "core/tensor/cuda_device.h"

namespace frond::testing {

// A context on GPU 0; null where there is none, `why` says what is missing.
struct GpuContext {
  std::unique_ptr<Allocator> memory;
  std::unique_ptr<Context> ctx;
};
inline GpuContext MakeGpuContext(std::string& why) {
  GpuContext gpu;
  if (CudaDeviceCount(&why) == 0) return gpu;
  absl::StatusOr<std::unique_ptr<Allocator>> memory = CreateCudaAllocator(0);
  if (!memory.ok()) {
    why = std::string(memory.status().message());
    return gpu;
  }
  gpu.memory = *std::move(memory);
  gpu.ctx = std::make_unique<Context>(*gpu.memory);
  return gpu;
}

// Skips the calling test aloud where there is no GPU, else declares `gpu` and `gpu_ctx`.
#define FROND_GPU_OR_SKIP(gpu)                                                          \
  std::string gpu##_why;                                                                \
  const ::frond::testing::GpuContext gpu = ::frond::testing::MakeGpuContext(gpu##_why); \
  if (gpu.ctx == nullptr) GTEST_SKIP() << "NO GPU: not tested: " << gpu##_why

}  // namespace frond::testing
