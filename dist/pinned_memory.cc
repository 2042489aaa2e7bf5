#include "dist/pinned_memory.h"

#include <cstdlib>

#include "core/tensor/cuda/runtime.h"
#include "core/tensor/cuda_device.h"

namespace frond {
namespace {

// A machine without a GPU has no driver to pin memory: the build may know CUDA all the same.
bool CanPin() { return CudaDeviceCount(nullptr) > 0; }

void Release(void* data, bool pinned) {
  if (!pinned) return std::free(data);
  FROND_CUDA_CHECK(cudaFreeHost(data));
}

}  // namespace

PinnedMemory::~PinnedMemory() {
  if (data_ != nullptr) Release(data_, pinned_);
}

char* PinnedMemory::Reserve(size_t bytes) {
  if (bytes <= bytes_) return static_cast<char*>(data_);
  if (data_ != nullptr) Release(data_, pinned_);
  data_ = nullptr;
  pinned_ = CanPin();
  if (pinned_) {
    FROND_CUDA_CHECK(cudaMallocHost(&data_, bytes));
  } else {
    data_ = std::malloc(bytes);
    CHECK(data_ != nullptr) << "out of memory: " << bytes << " bytes";
  }
  bytes_ = bytes;
  return static_cast<char*>(data_);
}

}  // namespace frond
