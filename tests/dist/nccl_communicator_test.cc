// The NCCL group's host logic, against an NCCL of one rank that starts late, hangs or breaks as it
// is told (fake_nccl/).
#include "dist/nccl_communicator.h"

#include <gtest/gtest.h>
#include <nccl.h>

#include <chrono>
#include <thread>

#include "core/tensor/cuda_device.h"
#include "core/tensor/transfer.h"
#include "dist/collective_watchdog.h"
#include "dist/local_communicator.h"

namespace frond {
namespace {

using fake_nccl::TheScript;

// A rank on the emulated GPU, with a group by NCCL unless it ends the process.
struct Rank {
  explicit Rank(double start_timeout = 20)
      : memory(*CreateCudaAllocator(0)),
        ctx(*memory),
        group(*CreateNcclCommunicator(host, {.start_timeout_seconds = start_timeout})) {}

  LocalCommunicator host;
  std::unique_ptr<Allocator> memory;
  Context ctx;
  std::unique_ptr<Communicator> group;
};

std::vector<float> Numbers(Context& ctx, const Tensor& x) {
  std::vector<float> host(static_cast<size_t>(x.shape().num_elements()));
  CopyToHost(ctx, x, host.data());
  return host;
}

TEST(NcclCommunicatorTest, OneRankTakesTheSamePath) {
  const std::vector<float> values = {1, -2, 3.5, 4};
  {
    Rank rank;
    EXPECT_EQ(rank.group->size(), 1);
    Tensor x(rank.ctx, {4}, DType::kF32), y(rank.ctx, {4}, DType::kF32);
    CopyFromHost(rank.ctx, values.data(), x);
    rank.group->AllReduce(rank.ctx, x, Reduce::kSum).Wait();
    EXPECT_EQ(Numbers(rank.ctx, x), values);
    rank.group->ReduceScatter(rank.ctx, x, y, Reduce::kMax).Wait();
    EXPECT_EQ(Numbers(rank.ctx, y), values);
    Tensor z(rank.ctx, {4}, DType::kF32);
    rank.group->AllGather(rank.ctx, y, z).Wait();
    rank.group->Broadcast(rank.ctx, z, 0).Wait();
    EXPECT_EQ(Numbers(rank.ctx, z), values);
    const std::unique_ptr<Communicator> split = rank.group->Split(0, 0);
    split->AllReduce(rank.ctx, z, Reduce::kSum).Wait();
    EXPECT_EQ(Numbers(rank.ctx, z), values);
    EXPECT_EQ(TheScript().live, 2);
    // Many in flight, waited for in any order, and host operands beside them.
    Pending first = rank.group->AllReduce(rank.ctx, x, Reduce::kSum);
    Pending second = rank.group->AllReduce(rank.ctx, y, Reduce::kSum);
    CpuAllocator host_memory;
    Context host(host_memory);
    Tensor sums(host, {2}, DType::kF64);
    rank.group->AllReduce(host, sums, Reduce::kSum).Wait();
    second.Wait();
    first.Wait();
    rank.group->Barrier();
    EXPECT_EQ(rank.group->AllGatherBytes("me")[0], "me");
  }
  EXPECT_EQ(TheScript().live, 0);
}

class NcclCommunicatorDeathTest : public testing::Test {
 protected:
  NcclCommunicatorDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
  // Runs one AllReduce and looks busy until the watchdog ends the process.
  static void ReduceAndLinger() {
    Rank rank;
    rank.group->watchdog().SetTimeout(0.3);
    rank.group->watchdog().SetStep(3);
    Tensor x(rank.ctx, {10}, DType::kF32);
    rank.group->AllReduce(rank.ctx, x, Reduce::kSum).Wait();
    std::this_thread::sleep_for(std::chrono::seconds(20));
  }
  static constexpr auto kExit = 1;
};

TEST_F(NcclCommunicatorDeathTest, AStartWithoutEndIsNamed) {
  EXPECT_EXIT(
      {
        TheScript().never_starts = true;
        const Rank rank(/*start_timeout=*/0.2);
      },
      testing::ExitedWithCode(kExit),
      "frond: rank 0 of 1: NCCL on GPU 0: ncclCommInitRankConfig has not ended after 0.2 s: not "
      "all of 1 ranks came, or they do not reach each other; ending the job\naborted");
}

TEST_F(NcclCommunicatorDeathTest, ACollectiveWithoutEndIsNamed) {
  EXPECT_EXIT(
      {
        TheScript().never_runs = true;
        ReduceAndLinger();
      },
      testing::ExitedWithCode(kExit),
      "rank 0 of 1, step 3: AllReduce .sum. of 10 f32 .number 0 of its group. has not ended after "
      "0.* s; .*; ending the job\naborted");
}

TEST_F(NcclCommunicatorDeathTest, AnAsynchronousErrorIsNamed) {
  EXPECT_EXIT(
      {
        TheScript().breaks_later = true;
        TheScript().polls = 0;
        ReduceAndLinger();
      },
      testing::ExitedWithCode(kExit),
      "step 3: AllReduce .sum. of 10 f32 failed: NCCL on GPU 0: remote process exited .fake.; "
      "ending the job\naborted");
}

TEST_F(NcclCommunicatorDeathTest, ARefusedCallIsNamed) {
  EXPECT_EXIT(
      {
        TheScript().refuses = true;
        ReduceAndLinger();
      },
      testing::ExitedWithCode(kExit),
      "step 3: NCCL on GPU 0: AllReduce .sum. of 10 f32: invalid argument .fake.; ending the job");
}

}  // namespace
}  // namespace frond
