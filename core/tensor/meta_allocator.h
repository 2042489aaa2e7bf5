// Memory that does not exist: what a program would take of it is counted by kind as on a real
// device, so that the real code, run once, says beforehand what it needs.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <utility>

#include "core/tensor/allocator.h"

namespace frond {

// Addresses it gives are distinct, not null, and none that a process can touch. Ops whose context
// has this memory check their operands and compute nothing (core/ops/dispatch.h); numbers that come
// back to the host are zeros. Used by one thread at a time.
class MetaAllocator : public Allocator {
 public:
  // Sizes are rounded as `stands_for` rounds them, and ops take the forms they have there.
  explicit MetaAllocator(Device stands_for);

  Device device() const override { return Device::kMeta; }
  Device stands_for() const override { return stands_for_; }
  void* Allocate(size_t bytes, MemoryKind kind) override;
  void Free(void* pointer) override;
  MemoryReport Report() const override { return counter_.report(); }
  void ResetPeak() override { counter_.ResetPeak(); }

  void CopyToHost(const void* source, size_t bytes, void* target) override;
  void CopyFromHost(const void*, size_t, void*) override {}
  void CopyWithin(const void*, size_t, void*) override {}

 private:
  Device stands_for_;
  uintptr_t next_address_;
  std::unordered_map<void*, std::pair<int64_t, MemoryKind>> live_;
  MemoryCounter counter_;
};

}  // namespace frond
