#include "core/tensor/meta_allocator.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "core/tensor/transfer.h"

namespace frond {
namespace {

constexpr int kGradients = static_cast<int>(MemoryKind::kGradients);

TEST(MetaAllocatorTest, CountsWhatTheCpuWould) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  CpuAllocator cpu;
  MetaAllocator meta(Device::kCpu);
  std::vector<std::pair<void*, void*>> live;
  for (int i = 0; i < 1000; ++i) {
    if (live.empty() || random() % 3 != 0) {
      const size_t bytes = random() % 100000;
      const auto kind = static_cast<MemoryKind>(random() % kNumMemoryKinds);
      live.emplace_back(cpu.Allocate(bytes, kind), meta.Allocate(bytes, kind));
    } else {
      std::swap(live[random() % live.size()], live.back());
      cpu.Free(live.back().first);
      meta.Free(live.back().second);
      live.pop_back();
    }
    ASSERT_EQ(meta.Report().total.live_bytes, cpu.Report().total.live_bytes);
  }
  for (int kind = 0; kind < kNumMemoryKinds; ++kind) {
    EXPECT_EQ(meta.Report().by_kind[kind].peak_bytes, cpu.Report().by_kind[kind].peak_bytes);
  }
  for (const auto& [a, b] : live) {
    cpu.Free(a);
    meta.Free(b);
  }
  EXPECT_EQ(meta.Report().total.live_bytes, 0);
}

// 200 TB are no matter where there is no memory, and what is read is zero.
TEST(MetaAllocatorTest, HoldsTensorsThatDoNotExist) {
  MetaAllocator memory(Device::kCuda);
  Context ctx(memory);
  Tensor huge(ctx, {int64_t{1} << 40, 50}, DType::kF32, MemoryKind::kGradients);
  Tensor other(ctx, {1}, DType::kF32);
  EXPECT_FALSE(huge.empty());
  EXPECT_NE(huge.view().data, other.view().data);
  EXPECT_GE(memory.Report().by_kind[kGradients].live_bytes, int64_t{200} << 40);
  const float number = 3;
  CopyFromHost(ctx, &number, other);
  const View row = Rows(huge.view(), 7, 8);
  Copy(ctx, Rows(Reshape(row, {50}), 3, 4), other);
  EXPECT_EQ(ToDoubles(ctx, other), std::vector<double>{0});
  EXPECT_TRUE(FillInPieces(&memory, huge, [](int64_t, View) {
                return absl::InternalError("filled what does not exist");
              }).ok());
  huge.Reset();
  EXPECT_EQ(memory.Report().by_kind[kGradients].live_bytes, 0);
}

TEST(MetaAllocatorTest, KnowsWhatItStandsFor) {
  for (const Device device : {Device::kCpu, Device::kCuda}) {
    MetaAllocator memory(device);
    const Context ctx(memory);
    EXPECT_EQ(ctx.device(), Device::kMeta);
    EXPECT_EQ(ctx.stands_for(), device);
  }
  CpuAllocator memory;
  EXPECT_EQ(Context(memory).stands_for(), Device::kCpu);
}

}  // namespace
}  // namespace frond
