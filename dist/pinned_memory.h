// Host memory that a GPU reads and writes at full speed; plain memory where no GPU can be used.
#pragma once

#include <cstddef>

namespace frond {

class PinnedMemory {
 public:
  PinnedMemory() = default;
  ~PinnedMemory();
  PinnedMemory(const PinnedMemory&) = delete;
  PinnedMemory& operator=(const PinnedMemory&) = delete;

  // At least `bytes`, aligned for any dtype; what was there before is lost when it grows.
  char* Reserve(size_t bytes);

 private:
  void* data_ = nullptr;
  bool pinned_ = false;
  size_t bytes_ = 0;
};

}  // namespace frond
