#include "core/ops/cuda/shared_memory.h"

#include <map>
#include <mutex>
#include <utility>

#include "core/tensor/cuda/runtime.h"

namespace frond::cuda {

void RaiseSharedMemory(const void* kernel, size_t bytes) {
  static std::mutex mutex;
  static auto& limits = *new std::map<std::pair<int, const void*>, size_t>;
  int device = -1;
  FROND_CUDA_CHECK(cudaGetDevice(&device));
  const std::lock_guard<std::mutex> lock(mutex);
  size_t& limit = limits[{device, kernel}];
  if (bytes <= limit) return;
  FROND_CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                        static_cast<int>(bytes)));
  limit = bytes;
}

}  // namespace frond::cuda
