// PinnedMemory of a build without CUDA: nothing to pin for.
#include <cstdlib>

#include "core/base/check.h"
#include "dist/pinned_memory.h"

namespace frond {

PinnedMemory::~PinnedMemory() { std::free(data_); }

char* PinnedMemory::Reserve(size_t bytes) {
  if (bytes > bytes_) {
    std::free(data_);
    data_ = std::malloc(bytes);
    CHECK(data_ != nullptr) << "no memory for " << bytes << " bytes";
    pinned_ = false;
    bytes_ = bytes;
  }
  return static_cast<char*>(data_);
}

}  // namespace frond
