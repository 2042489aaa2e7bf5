// Local and thread communicators against the contract that the MPI one passes too.
#include "dist/communicator.h"

#include <gtest/gtest.h>

#include "dist/local_communicator.h"
#include "dist/thread_communicator.h"
#include "tests/dist/communicator_contract.h"

namespace frond {
namespace {

using Check = void (*)(Communicator&);
constexpr Check kChecks[] = {CheckReductions, CheckMovement, CheckSplits, CheckKeepGrads,
                             CheckMesh};

TEST(LocalCommunicatorTest, KeepsTheContract) {
  LocalCommunicator world;
  for (const Check check : kChecks) {
    if (check != CheckSplits) check(world);
  }
  EXPECT_EQ(world.Split(3, 1)->size(), 1);
}

class ThreadCommunicatorTest : public testing::TestWithParam<int> {};

TEST_P(ThreadCommunicatorTest, KeepsTheContract) {
  RunThreadRanks(GetParam(), [](Communicator& world) {
    for (const Check check : kChecks) check(world);
  });
}

INSTANTIATE_TEST_SUITE_P(Ranks, ThreadCommunicatorTest, testing::Values(1, 2, 4));

TEST(PendingTest, MustBeWaitedFor) {
  CpuAllocator memory;
  Context ctx(memory);
  Tensor x(ctx, {1}, DType::kF32);
  LocalCommunicator world;
  EXPECT_DEATH({ const Pending lost = world.AllReduce(ctx, x, Reduce::kSum); }, "never waited for");
}

TEST(ThreadCommunicatorDeathTest, RanksThatDisagreeAreNamed) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto disagree = [] {
    RunThreadRanks(2, [](Communicator& world) {
      CpuAllocator memory;
      Context ctx(memory);
      Tensor x(ctx, {4 + world.rank()}, DType::kF32);
      world.AllReduce(ctx, x, Reduce::kSum).Wait();
    });
  };
  EXPECT_DEATH(disagree(),
               "rank 0 calls AllReduce .sum. of 4 f32, rank 1 calls AllReduce .sum. of 5 f32");
}

}  // namespace
}  // namespace frond
