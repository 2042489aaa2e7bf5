#include "core/tensor/allocator.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "core/base/check.h"

namespace frond {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kHugePage = size_t{2} << 20;
// Blocks of different sizes live at different moments of a step: without slack they would push each
// other out of the cache once a step.
constexpr size_t kCacheSlack = 4;

size_t RoundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

// Sizes are rounded coarsely (1/8 of their power of two), so that batches of slightly different
// lengths reuse each other's blocks.
size_t CpuBlockBytes(size_t bytes) {
  size_t unit = kAlignment;
  while (unit * 8 < bytes) unit *= 2;
  return RoundUp(std::max<size_t>(bytes, 1), unit);
}

// The unit of cudaMallocAsync's own pools. Never 0.
constexpr size_t kCudaUnit = 512;

}  // namespace

size_t BlockBytes(Device device, size_t bytes) {
  if (device == Device::kCuda) return (bytes + kCudaUnit) / kCudaUnit * kCudaUnit;
  return CpuBlockBytes(bytes);
}

absl::string_view MemoryKindName(MemoryKind kind) {
  switch (kind) {
    case MemoryKind::kParams:
      return "parameters";
    case MemoryKind::kComputeWeights:
      return "compute weights";
    case MemoryKind::kGradients:
      return "gradients";
    case MemoryKind::kOptimizer:
      return "optimizer";
    case MemoryKind::kActivations:
      return "activations";
    case MemoryKind::kWorkspace:
      return "workspace";
  }
  return "?";
}

void MemoryCounter::Add(MemoryKind kind, int64_t bytes) {
  for (MemoryReport::Usage* usage : {&report_.by_kind[static_cast<int>(kind)], &report_.total}) {
    usage->live_bytes += bytes;
    usage->peak_bytes = std::max(usage->peak_bytes, usage->live_bytes);
  }
}

void MemoryCounter::ResetPeak() {
  for (MemoryReport::Usage& usage : report_.by_kind) usage.peak_bytes = usage.live_bytes;
  report_.total.peak_bytes = report_.total.live_bytes;
}

void Allocator::CopyToHost(const void* source, size_t bytes, void* target) {
  if (bytes > 0) std::memcpy(target, source, bytes);
}
void Allocator::CopyFromHost(const void* source, size_t bytes, void* target) {
  if (bytes > 0) std::memcpy(target, source, bytes);
}
void Allocator::CopyWithin(const void* source, size_t bytes, void* target) {
  if (bytes > 0) std::memcpy(target, source, bytes);
}

CpuAllocator::~CpuAllocator() { ReleaseCached(); }

void* CpuAllocator::TakeCached(size_t bytes) {
  const auto found = cached_.find(bytes);
  if (found == cached_.end()) return nullptr;
  void* pointer = found->second;
  cached_.erase(found);
  cached_bytes_ -= bytes;
  return pointer;
}

void* CpuAllocator::Allocate(size_t bytes, MemoryKind kind) {
  const size_t block_bytes = CpuBlockBytes(bytes);
  const std::lock_guard<std::mutex> lock(mutex_);
  void* pointer = TakeCached(block_bytes);
  if (pointer == nullptr) {
    const size_t alignment = block_bytes >= kHugePage ? kHugePage : kAlignment;
    pointer = std::aligned_alloc(alignment, RoundUp(block_bytes, alignment));
    CHECK(pointer != nullptr) << "out of memory: " << bytes << " bytes for " << MemoryKindName(kind)
                              << " beside " << counter_.report().total.live_bytes << " live bytes";
    if (alignment == kHugePage) ::madvise(pointer, block_bytes, MADV_HUGEPAGE);
  }
  live_[pointer] = {block_bytes, kind};
  counter_.Add(kind, static_cast<int64_t>(block_bytes));
  TrimCache();
  return pointer;
}

void CpuAllocator::TrimCache() {
  const auto live = static_cast<size_t>(counter_.report().total.live_bytes);
  most_live_bytes_ = std::max(most_live_bytes_, live);
  const size_t most_held = most_live_bytes_ + most_live_bytes_ / kCacheSlack;
  while (cached_bytes_ > 0 && live + cached_bytes_ > most_held) {
    const auto block = cached_.begin();
    std::free(block->second);
    cached_bytes_ -= block->first;
    cached_.erase(block);
  }
}

void CpuAllocator::Free(void* pointer) {
  if (pointer == nullptr) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = live_.find(pointer);
  CHECK(found != live_.end()) << "freed memory that this allocator did not give";
  const Block block = found->second;
  live_.erase(found);
  counter_.Add(block.kind, -static_cast<int64_t>(block.bytes));
  cached_.emplace(block.bytes, pointer);
  cached_bytes_ += block.bytes;
}

MemoryReport CpuAllocator::Report() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return counter_.report();
}

void CpuAllocator::ResetPeak() {
  const std::lock_guard<std::mutex> lock(mutex_);
  counter_.ResetPeak();
}

void CpuAllocator::ReleaseCached() {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [bytes, pointer] : cached_) std::free(pointer);
  cached_.clear();
  cached_bytes_ = 0;
}

}  // namespace frond
