// A step rehearsed for a GPU takes what the step takes on one, but for scratch memory inside ops.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/ops/cuda/workspace_sizes.h"
#include "core/tensor/meta_allocator.h"
#include "tests/gpu/gpu_fixture.h"
#include "tests/models/t5/two_steps.h"

namespace frond::testing {
namespace {

// Partial sums, ids of tokens and factors of updates, for the small model.
constexpr int64_t kOtherScratch = int64_t{4} << 20;

TEST(RehearsalGpuTest, TakesTheMemoryOfTheGpu) {
  const std::vector<StepMode> modes = StepModes();
  for (const size_t number : {2, 5, 6, 9}) {  // all are too many for an emulator
    const StepMode& mode = modes[number];
    FROND_GPU_OR_SKIP(gpu);
    const Batch batch = RandomBatch(4, 30, 12, 1);
    MetaAllocator meta(Device::kCuda);
    const MemoryReport real = TrainTwoSteps(*gpu.memory, mode, batch);
    const MemoryReport rehearsed = TrainTwoSteps(meta, mode, batch);
    for (int kind = 0; kind < kNumMemoryKinds; ++kind) {
      const std::string of =
          mode.name + ", " + std::string(MemoryKindName(static_cast<MemoryKind>(kind)));
      if (kind != static_cast<int>(MemoryKind::kWorkspace)) {
        EXPECT_EQ(rehearsed.by_kind[kind].peak_bytes, real.by_kind[kind].peak_bytes) << of;
        continue;
      }
      EXPECT_LE(real.by_kind[kind].peak_bytes,
                rehearsed.by_kind[kind].peak_bytes + kOtherScratch + cuda::kMaxMeasuringBytes)
          << of;
    }
  }
}

}  // namespace
}  // namespace frond::testing
