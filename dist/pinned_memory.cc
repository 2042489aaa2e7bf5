#include "dist/pinned_memory.h"

#include "core/tensor/cuda/runtime.h"

namespace frond {

PinnedMemory::~PinnedMemory() {
  if (data_ != nullptr) FROND_CUDA_CHECK(cudaFreeHost(data_));
}

char* PinnedMemory::Reserve(size_t bytes) {
  if (bytes > bytes_) {
    if (data_ != nullptr) FROND_CUDA_CHECK(cudaFreeHost(data_));
    data_ = nullptr;
    FROND_CUDA_CHECK(cudaMallocHost(&data_, bytes));
    bytes_ = bytes;
  }
  return static_cast<char*>(data_);
}

}  // namespace frond
