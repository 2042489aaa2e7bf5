// Tensor memory with a report of what lives and what the peak was, by kind.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <unordered_map>

#include "absl/strings/string_view.h"

namespace frond {

// What memory is used for: the lines of the memory table.
enum class MemoryKind : uint8_t {
  kParams,
  kComputeWeights,  // bf16 copies and packed forms of the parameters
  kGradients,
  kOptimizer,
  kActivations,
  kWorkspace,
};
inline constexpr int kNumMemoryKinds = 6;
absl::string_view MemoryKindName(MemoryKind kind);

struct MemoryReport {
  struct Usage {
    int64_t live_bytes = 0;
    int64_t peak_bytes = 0;
  };
  std::array<Usage, kNumMemoryKinds> by_kind;
  Usage total;
};

// kMeta has no memory and computes nothing: ops check shapes there, and what would live is counted
// (core/tensor/meta_allocator.h).
enum class Device : uint8_t { kCpu, kCuda, kMeta };

// What a request for `bytes` takes of a device's memory: its allocator's unit is not the byte.
size_t BlockBytes(Device device, size_t bytes);

struct WorkKey;

// The memory of one device. Not the host's: its bytes are reached by the copies below only.
class Allocator {
 public:
  virtual ~Allocator() = default;
  virtual Device device() const { return Device::kCpu; }
  // The device whose use of memory this one's is like: itself, unless it is kMeta.
  virtual Device stands_for() const { return device(); }
  // Never returns null: running out of memory ends the process with a message that names the kind.
  virtual void* Allocate(size_t bytes, MemoryKind kind) = 0;
  virtual void Free(void* pointer) = 0;
  virtual MemoryReport Report() const = 0;
  // Sets every peak to what is live now.
  virtual void ResetPeak() = 0;

  // Copies between host memory and this memory, in order with the work on it; they return when the
  // host memory may be used again. Call them through core/tensor/transfer.h.
  virtual void CopyToHost(const void* source, size_t bytes, void* target);
  virtual void CopyFromHost(const void* source, size_t bytes, void* target);
  // Within this memory; may return before it is done.
  virtual void CopyWithin(const void* source, size_t bytes, void* target);
  // Returns when all work on this memory is done.
  virtual void Synchronize() {}
  // Call it through core/tensor/repeated_work.h.
  virtual void RunRepeated(const WorkKey& /*key*/, const std::function<void()>& work) { work(); }
};

// Counts what lives, by kind. Not thread-safe.
class MemoryCounter {
 public:
  void Add(MemoryKind kind, int64_t bytes);  // negative: freed
  void ResetPeak();
  const MemoryReport& report() const { return report_; }

 private:
  MemoryReport report_;
};

// Host memory, 64-byte aligned. Freed blocks are kept for reuse by size, since a training step asks
// for the same sizes again and fresh pages cost a fault each; what is held, live or kept, never
// exceeds the most that was live at one time by more than a quarter. Thread-safe.
class CpuAllocator : public Allocator {
 public:
  ~CpuAllocator() override;
  void* Allocate(size_t bytes, MemoryKind kind) override;
  void Free(void* pointer) override;
  MemoryReport Report() const override;
  void ResetPeak() override;
  void ReleaseCached();

 private:
  struct Block {
    size_t bytes;  // rounded up to the block's true size
    MemoryKind kind;
  };
  void* TakeCached(size_t bytes);
  void TrimCache();

  mutable std::mutex mutex_;
  std::unordered_map<void*, Block> live_;
  std::unordered_multimap<size_t, void*> cached_;
  size_t cached_bytes_ = 0;
  size_t most_live_bytes_ = 0;
  MemoryCounter counter_;
};

}  // namespace frond
