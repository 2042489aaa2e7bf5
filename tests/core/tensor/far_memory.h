// Memory that stands for a device's: its addresses fault when the host follows them.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/tensor/allocator.h"

namespace frond {

class FarMemory : public Allocator {
 public:
  Device device() const override { return Device::kCuda; }
  void* Allocate(size_t bytes, MemoryKind kind) override {
    return Flip(memory_.Allocate(bytes, kind));
  }
  void Free(void* pointer) override { memory_.Free(Flip(pointer)); }
  MemoryReport Report() const override { return memory_.Report(); }
  void ResetPeak() override { memory_.ResetPeak(); }
  void CopyToHost(const void* source, size_t bytes, void* target) override {
    if (bytes > 0) std::memcpy(target, Flip(source), bytes);
    Count(bytes);
  }
  void CopyFromHost(const void* source, size_t bytes, void* target) override {
    if (bytes > 0) std::memcpy(Flip(target), source, bytes);
    Count(bytes);
  }
  void CopyWithin(const void* source, size_t bytes, void* target) override {
    if (bytes > 0) std::memcpy(Flip(target), Flip(source), bytes);
  }

  // The longest copy between host and here so far.
  size_t most_bytes() const { return most_bytes_; }

 private:
  // No address of a process has this bit.
  static constexpr uintptr_t kFar = uintptr_t{1} << 62;
  template <class T>
  static T* Flip(T* pointer) {
    return reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(pointer) ^ kFar);
  }
  void Count(size_t bytes) { most_bytes_ = bytes > most_bytes_ ? bytes : most_bytes_; }

  CpuAllocator memory_;
  size_t most_bytes_ = 0;
};

}  // namespace frond
