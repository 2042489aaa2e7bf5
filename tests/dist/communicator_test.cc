// Local and thread communicators against the contract that the MPI one passes too.
#include "dist/communicator.h"

#include <gtest/gtest.h>

#include "core/tensor/transfer.h"
#include "dist/local_communicator.h"
#include "dist/thread_communicator.h"
#include "tests/core/tensor/far_memory.h"
#include "tests/dist/communicator_contract.h"

namespace frond {
namespace {

using Check = void (*)(Communicator&);
constexpr Check kChecks[] = {CheckReductions, CheckMovement,  CheckSplits,
                             CheckKeepGrads,  CheckEarlySums, CheckMesh};

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

// Collectives of tensors that lie on devices.
void CheckDeviceTensors(Communicator& world) {
  FarMemory memory;
  Context ctx(memory);
  const int n = world.size(), rank = world.rank();
  const auto tensor = [&](const std::vector<int32_t>& values) {
    Tensor x(ctx, {std::ssize(values)}, DType::kI32);
    CopyFromHost(ctx, values.data(), x);
    return x;
  };
  const auto values = [&](const Tensor& x) {
    std::vector<int32_t> host(static_cast<size_t>(x.shape().dim(0)));
    CopyToHost(ctx, x, host.data());
    return host;
  };
  std::vector<int32_t> all, sums;
  for (int r = 0; r < n; ++r) {
    all.push_back(100 + r);
    sums.push_back(n * 10 * r + n * (n - 1) / 2);
  }
  std::vector<int32_t> mine;
  for (int r = 0; r < n; ++r) mine.push_back(10 * r + rank);

  Tensor reduced = tensor(mine), scattered = tensor({-1}), gathered = tensor(mine);
  world.AllReduce(ctx, reduced, Reduce::kSum).Wait();
  EXPECT_EQ(values(reduced), sums);
  world.ReduceScatter(ctx, tensor(mine), scattered, Reduce::kSum).Wait();
  EXPECT_EQ(values(scattered), std::vector<int32_t>{sums[static_cast<size_t>(rank)]});
  world.AllGather(ctx, tensor({100 + rank}), gathered).Wait();
  EXPECT_EQ(values(gathered), all);
  Tensor sent = tensor({7 + rank});
  world.Broadcast(ctx, sent, n - 1).Wait();
  EXPECT_EQ(values(sent), std::vector<int32_t>{7 + n - 1});
}

TEST(LocalCommunicatorTest, TakesTensorsOfDevices) {
  LocalCommunicator world;
  CheckDeviceTensors(world);
}

TEST_P(ThreadCommunicatorTest, TakesTensorsOfDevices) {
  RunThreadRanks(GetParam(), CheckDeviceTensors);
}

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
