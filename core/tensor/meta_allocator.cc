#include "core/tensor/meta_allocator.h"

#include <cstring>

#include "core/base/check.h"

namespace frond {
namespace {

// Addresses from here on are valid on no machine of 64 bits, so that a stray access faults.
constexpr uintptr_t kFirstAddress = uintptr_t{1} << 60;

}  // namespace

MetaAllocator::MetaAllocator(Device stands_for)
    : stands_for_(stands_for), next_address_(kFirstAddress) {
  CHECK(stands_for != Device::kMeta) << "memory that stands for nothing";
}

void* MetaAllocator::Allocate(size_t bytes, MemoryKind kind) {
  const size_t block = BlockBytes(stands_for_, bytes);
  void* pointer = reinterpret_cast<void*>(next_address_);
  next_address_ += block;
  live_[pointer] = {static_cast<int64_t>(block), kind};
  counter_.Add(kind, static_cast<int64_t>(block));
  return pointer;
}

void MetaAllocator::Free(void* pointer) {
  if (pointer == nullptr) return;
  const auto found = live_.find(pointer);
  CHECK(found != live_.end()) << "freed memory that this allocator did not give";
  const auto [bytes, kind] = found->second;
  counter_.Add(kind, -bytes);
  live_.erase(found);
}

void MetaAllocator::CopyToHost(const void*, size_t bytes, void* target) {
  if (bytes > 0) std::memset(target, 0, bytes);
}

}  // namespace frond
