// A group by the real NCCL, of the one rank that a GPU has. Its host logic: nccl_communicator_test.
#include <gtest/gtest.h>

#include <vector>

#include "core/tensor/transfer.h"
#include "dist/local_communicator.h"
#include "dist/nccl_communicator.h"
#include "tests/gpu/gpu_fixture.h"

namespace frond {
namespace {

std::vector<float> Numbers(Context& ctx, const Tensor& x) {
  std::vector<float> host(static_cast<size_t>(x.shape().num_elements()));
  CopyToHost(ctx, x, host.data());
  return host;
}

TEST(NcclGpuTest, OneRankTakesThePathOfMany) {
  FROND_GPU_OR_SKIP(gpu);
  Context& ctx = *gpu.ctx;
  LocalCommunicator host;
  absl::StatusOr<std::unique_ptr<Communicator>> group = CreateNcclCommunicator(host, {});
  ASSERT_TRUE(group.ok()) << group.status();
  // Longer than one of NCCL's chunks, and of no round length.
  std::vector<float> values(5'000'003);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 1013) - 500.5f;
  const Shape shape = {static_cast<int64_t>(values.size())};
  Tensor x(ctx, shape, DType::kF32), y(ctx, shape, DType::kF32), z(ctx, shape, DType::kF32);
  CopyFromHost(ctx, values.data(), x);
  (*group)->AllReduce(ctx, x, Reduce::kSum).Wait();
  EXPECT_EQ(Numbers(ctx, x), values);
  (*group)->ReduceScatter(ctx, x, y, Reduce::kSum).Wait();
  (*group)->AllGather(ctx, y, z).Wait();
  (*group)->Broadcast(ctx, z, 0).Wait();
  EXPECT_EQ(Numbers(ctx, z), values);
  // A group of a group, and calls in flight that are waited for in another order.
  const std::unique_ptr<Communicator> part = (*group)->Split(0, 0);
  Pending first = part->AllReduce(ctx, y, Reduce::kMax);
  Pending second = (*group)->AllReduce(ctx, x, Reduce::kSum);
  second.Wait();
  first.Wait();
  EXPECT_EQ(Numbers(ctx, y), values);
  EXPECT_EQ(Numbers(ctx, x), values);
}

}  // namespace
}  // namespace frond
