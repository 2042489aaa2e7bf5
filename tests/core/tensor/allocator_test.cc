#include "core/tensor/allocator.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace frond {
namespace {

constexpr int kActivations = static_cast<int>(MemoryKind::kActivations);

TEST(CpuAllocatorTest, ReportsLiveAndPeakByKind) {
  CpuAllocator memory;
  void* params = memory.Allocate(1000, MemoryKind::kParams);
  void* first = memory.Allocate(5000, MemoryKind::kActivations);
  memory.Free(first);
  void* second = memory.Allocate(100, MemoryKind::kActivations);
  const MemoryReport report = memory.Report();
  EXPECT_GE(report.by_kind[static_cast<int>(MemoryKind::kParams)].live_bytes, 1000);
  EXPECT_GE(report.by_kind[kActivations].peak_bytes, 5000);
  EXPECT_LT(report.by_kind[kActivations].live_bytes, 5000);
  EXPECT_GE(report.total.peak_bytes, 6000);
  memory.ResetPeak();
  EXPECT_EQ(memory.Report().total.peak_bytes, memory.Report().total.live_bytes);
  memory.Free(params);
  memory.Free(second);
  EXPECT_EQ(memory.Report().total.live_bytes, 0);
}

TEST(CpuAllocatorTest, ReusesABlockOfTheSameSize) {
  CpuAllocator memory;
  void* first = memory.Allocate(1 << 20, MemoryKind::kActivations);
  memory.Free(first);
  void* second = memory.Allocate(1 << 20, MemoryKind::kGradients);
  EXPECT_EQ(first, second);
  memory.Free(second);
}

// Blocks do not overlap and are aligned, whatever was cached before.
TEST(CpuAllocatorTest, RandomUse) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  CpuAllocator memory;
  struct Block {
    unsigned char* data;
    size_t size;
    unsigned char mark;
  };
  std::vector<Block> blocks;
  for (int i = 0; i < 2000; ++i) {
    if (blocks.size() < 20 && random() % 3 != 0) {
      const size_t size = random() % 100000;
      auto* data = static_cast<unsigned char*>(memory.Allocate(size, MemoryKind::kWorkspace));
      EXPECT_EQ(reinterpret_cast<uintptr_t>(data) % 64, 0u);
      const auto mark = static_cast<unsigned char>(random());
      std::memset(data, mark, size);
      blocks.push_back({data, size, mark});
    } else if (!blocks.empty()) {
      const Block block = blocks[random() % blocks.size()];
      for (size_t b = 0; b < block.size; ++b) ASSERT_EQ(block.data[b], block.mark);
      memory.Free(block.data);
      std::erase_if(blocks, [&](const Block& other) { return other.data == block.data; });
    }
  }
  for (const Block& block : blocks) memory.Free(block.data);
  EXPECT_EQ(memory.Report().total.live_bytes, 0);
}

TEST(CpuAllocatorDeathTest, ForeignMemoryIsOurMistake) {
  CpuAllocator memory;
  int local = 0;
  EXPECT_DEATH(memory.Free(&local), "did not give");
}

}  // namespace
}  // namespace frond
