// Updates on a GPU of parameters that lie split over ranks, against the update of the whole there.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "dist/staged_communicator.h"
#include "dist/thread_communicator.h"
#include "optim/adafactor.h"
#include "optim/adamw.h"
#include "tests/gpu/gpu_fixture.h"
#include "tests/optim/split_trial.h"

namespace frond::testing {
namespace {

// Relative to the element, or to the RMS of all where that is larger.
constexpr double kTolerance = 1e-6;
// The step of a bf16 number, relative to it.
constexpr double kBf16Step = 1.0 / 128;

// Four ranks that share the GPU: two on the tensor axis, each with a partner for its rows. Small
// sums travel through the host.
std::vector<Results> RunMesh(const Recipe& recipe) {
  std::vector<Results> got(4);
  RunThreadRanks(4, [&](Communicator& threads) {
    std::string why;
    const GpuContext gpu = MakeGpuContext(why);
    ASSERT_NE(gpu.ctx, nullptr) << why;
    StagedCommunicator world(threads.Split(0, threads.rank()));
    got[static_cast<size_t>(world.rank())] = RunRank(recipe, *gpu.memory, world, 2);
  });
  return got;
}

TEST(SplitUpdateGpuTest, IsThatOfTheWhole) {
  FROND_GPU_OR_SKIP(gpu);
  const auto adafactor = [] {
    return std::make_unique<Adafactor>(AdafactorOptions{
        .clipping_threshold = 0.8, .min_dim_size_to_factor = kFactored, .weight_decay_rate = 1e-3});
  };
  const auto adamw = [] { return std::make_unique<AdamW>(AdamWOptions{.weight_decay = 0.1}); };
  for (const MasterFormat format :
       {MasterFormat::kWhole, MasterFormat::kSplit, MasterFormat::kStochastic}) {
    Recipe recipe = {.make = adafactor, .compute = DType::kBF16, .masters = format};
    Results want = RunWhole(recipe, *gpu.memory);
    std::vector<Results> got = RunMesh(recipe);
    const Comparison weights = Compare(got, want, &Results::weights);
    const Comparison state = Compare(got, want, &Results::state);
    EXPECT_EQ(weights.missing + state.missing, 0);
    EXPECT_LE(state.worst, kTolerance) << "seed " << recipe.seed;
    if (format == MasterFormat::kStochastic) {
      EXPECT_LE(weights.differing, 1 + weights.elements / 200) << "seed " << recipe.seed;
      EXPECT_LE(weights.worst, 2 * kBf16Step) << "seed " << recipe.seed;
    } else {
      EXPECT_LE(weights.worst, kTolerance) << "seed " << recipe.seed;
    }

    recipe.make = adamw;
    want = RunWhole(recipe, *gpu.memory);
    got = RunMesh(recipe);
    EXPECT_EQ(Compare(got, want, &Results::weights).differing, 0) << "seed " << recipe.seed;
    EXPECT_EQ(Compare(got, want, &Results::state).differing, 0) << "seed " << recipe.seed;
  }
}

}  // namespace
}  // namespace frond::testing
