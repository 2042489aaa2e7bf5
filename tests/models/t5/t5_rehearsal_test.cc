// A training step on Device::kMeta takes, byte for byte and kind for kind, the memory that it takes
// on the CPU, whatever the memory modes are.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <tuple>

#include "core/tensor/meta_allocator.h"
#include "tests/models/t5/two_steps.h"

namespace frond {
namespace {

TEST(RehearsalTest, TakesTheMemoryOfTheCpuInEveryMode) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  for (const StepMode& mode : StepModes()) {
    for (const auto& [examples, source, target] : {std::tuple{1, 30, 10}, {9, 60, 40}}) {
      const Batch batch = RandomBatch(examples, source, target, seed);
      CpuAllocator cpu;
      MetaAllocator meta(Device::kCpu);
      const MemoryReport real = TrainTwoSteps(cpu, mode, batch);
      const MemoryReport rehearsed = TrainTwoSteps(meta, mode, batch);
      EXPECT_EQ(rehearsed.total.peak_bytes, real.total.peak_bytes) << mode.name;
      for (int kind = 0; kind < kNumMemoryKinds; ++kind) {
        const std::string of =
            mode.name + ", " + std::string(MemoryKindName(static_cast<MemoryKind>(kind)));
        EXPECT_EQ(rehearsed.by_kind[kind].peak_bytes, real.by_kind[kind].peak_bytes) << of;
        EXPECT_EQ(rehearsed.by_kind[kind].live_bytes, real.by_kind[kind].live_bytes) << of;
      }
      EXPECT_GT(real.total.peak_bytes, real.total.live_bytes);
    }
  }
}

// A GPU multiplies by bf16 masters as they are: no copies of weights (performance.md: 4 bytes a
// parameter with split masters, 2 with stochastic rounding).
TEST(RehearsalTest, AGpuKeepsNoCopiesOfBf16Masters) {
  const Batch batch = RandomBatch(7, 60, 40, 1);
  for (const StepMode& mode : StepModes()) {
    MetaAllocator memory(Device::kCuda);
    const MemoryReport report = TrainTwoSteps(memory, mode, batch);
    const int64_t copies = report.by_kind[static_cast<int>(MemoryKind::kComputeWeights)].peak_bytes;
    const bool reads_masters =
        mode.options.compute == DType::kF32 || mode.options.masters != MasterFormat::kWhole;
    EXPECT_EQ(copies == 0, reads_masters) << mode.name;
  }
}

// cuDNN computes what has no bias and hides no keys, and nothing else: an op that it cannot compute
// ends the process, here too. Its scores are counted.
TEST(RehearsalTest, CudnnComputesCrossAttentionOnly) {
  const Batch batch = RandomBatch(40, 600, 300, 2);
  for (StepMode mode : StepModes()) {
    if (mode.options.projected() != DType::kBF16) continue;
    const auto workspace = [&](AttentionEngine engine) {
      mode.options.cross_attention = engine;
      MetaAllocator memory(Device::kCuda);
      const MemoryReport report = TrainTwoSteps(memory, mode, batch);
      return report.by_kind[static_cast<int>(MemoryKind::kWorkspace)].peak_bytes;
    };
    const int64_t ours = workspace(AttentionEngine::kFrond);
    const int64_t cudnns = workspace(AttentionEngine::kCudnn);
    EXPECT_GE(cudnns, ours) << mode.name;
    // The scores of a chunk of one or two examples are no more than other ops take.
    EXPECT_TRUE(cudnns > ours || mode.options.recompute.max_chunk_tokens > 0) << mode.name;
  }
}

}  // namespace
}  // namespace frond
