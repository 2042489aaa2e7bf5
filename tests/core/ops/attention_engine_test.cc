#include "core/ops/attention_engine.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/ops/attention.h"
#include "core/tensor/meta_allocator.h"

namespace frond {
namespace {

// What allocations are rounded up by in all.
constexpr int64_t kRounding = 2048;

std::string Refusal(Context& ctx, DType dtype, int head_dim) {
  return std::string(CheckCudnnAttention(ctx, dtype, /*num_heads=*/4, head_dim).message());
}

TEST(AttentionEngineTest, CudnnIsForGpusInBf16) {
  CpuAllocator memory;
  Context cpu(memory);
  EXPECT_EQ(Refusal(cpu, DType::kBF16, 64),
            "the device is the CPU, and cuDNN computes on GPUs only");
  MetaAllocator planned(Device::kCuda);
  Context gpu(planned);
  EXPECT_EQ(Refusal(gpu, DType::kF32, 64),
            "queries and keys are in f32, and cuDNN's attention is in bf16");
  for (const int head_dim : {20, 136}) {
    EXPECT_EQ(Refusal(gpu, DType::kBF16, head_dim),
              "a head has " + std::to_string(head_dim) +
                  " dims, and cuDNN's attention takes multiples of 8 up to 128");
  }
  // A plan needs no cuDNN.
  EXPECT_EQ(Refusal(gpu, DType::kBF16, 64), "");
  EXPECT_EQ(Refusal(gpu, DType::kBF16, 128), "");
}

// A plan's memory is that of cuDNN's largest batch of padded scores, beside a number a query and
// head.
TEST(AttentionEngineTest, APlanCountsCudnnsScores) {
  MetaAllocator memory(Device::kCuda);
  Context ctx(memory);
  const std::vector<int32_t> query_begin = {0, 100}, query_end = {100, 130};
  const std::vector<int32_t> key_begin = {0, 500}, key_end = {500, 512};
  const std::vector<uint64_t> keys(512);
  AttentionSpec spec = {.num_heads = 2, .head_dim = 64};
  spec.query_begin = query_begin;
  spec.query_end = query_end;
  spec.key_begin = key_begin;
  spec.key_end = key_end;
  spec.key_token_keys = keys;
  spec.engine = AttentionEngine::kCudnn;
  const Tensor q(ctx, {130, 128}, DType::kBF16), k(ctx, {512, 128}, DType::kBF16);
  Tensor out(ctx, {130, 128}, DType::kBF16), dk(ctx, {512, 128}, DType::kBF16);
  Tensor lse(ctx, {130, 2}, DType::kF32);
  for (const float dropout : {0.0f, 0.1f}) {
    spec.dropout_rate = dropout;
    memory.ResetPeak();
    const int64_t live = memory.Report().total.live_bytes;
    Attention(ctx, q, k, k, {}, spec, out, lse);
    AttentionGrad(ctx, out, q, k, k, {}, out, lse, spec, out, dk, dk, {});
    const int64_t scores = int64_t{2} * 2 * 2 * 128 * 512, row_sums = 130 * 2 * 4;
    const int64_t of_dropout = dropout > 0 ? 512 * (128 * 2 + 2 * 4) : 0;
    const int64_t taken = memory.Report().total.peak_bytes - live;
    EXPECT_GE(taken, scores + row_sums + of_dropout);
    EXPECT_LE(taken, scores + row_sums + of_dropout + kRounding);
  }
}

TEST(AttentionEngineDeathTest, TheCpuHasNoCudnn) {
  CpuAllocator memory;
  Context ctx(memory);
  const std::vector<int32_t> begin = {0}, end = {4};
  AttentionSpec spec = {.num_heads = 1, .head_dim = 8};
  spec.query_begin = spec.key_begin = begin;
  spec.query_end = spec.key_end = end;
  spec.engine = AttentionEngine::kCudnn;
  const Tensor q(ctx, {4, 8}, DType::kBF16);
  Tensor out(ctx, {4, 8}, DType::kBF16), lse(ctx, {4, 1}, DType::kF32);
  EXPECT_DEATH(Attention(ctx, q, q, q, {}, spec, out, lse), "stands_for");
}

}  // namespace
}  // namespace frond
