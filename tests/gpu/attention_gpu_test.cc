// What the table of op cases cannot say about attention on a GPU: which probabilities dropout
// drops, that two runs give the same bits, and that they share their lists.
#include <gtest/gtest.h>

#include <random>

#include "core/ops/attention.h"
#include "core/ops/cuda/sent_lists.h"
#include "core/tensor/transfer.h"
#include "tests/core/ops/op_cases.h"
#include "tests/core/ops/op_runner.h"
#include "tests/gpu/gpu_fixture.h"

namespace frond::testing {
namespace {

constexpr int kHeads = 11;
constexpr int kFirstHead = 6;  // the heads take part in three draws of eight
constexpr int kDim = 64;

// Equal scores and value row j = e_j: element j of an output is not 0 where key j was kept.
class AttentionDropoutGpuTest : public ::testing::TestWithParam<DType> {};

TEST_P(AttentionDropoutGpuTest, DropsWhatTheCpuDrops) {
  FROND_GPU_OR_SKIP(gpu);
  Context& ctx = *gpu.ctx;
  std::mt19937_64 random(std::random_device{}());
  const std::vector<int32_t> begin = {0, kDim}, end = {kDim, 2 * kDim - 3};
  const int64_t rows = end.back();
  std::vector<uint64_t> token_keys(static_cast<size_t>(rows));
  for (uint64_t& key : token_keys) key = random();
  const AttentionSpec spec = {.num_heads = kHeads,
                              .head_dim = kDim,
                              .first_head = kFirstHead,
                              .query_begin = begin,
                              .query_end = end,
                              .key_begin = begin,
                              .key_end = end,
                              .dropout_rate = 0.4f,
                              .dropout_key = random(),
                              .key_token_keys = token_keys};
  const Shape shape = {rows, kHeads * kDim};
  Tensor zeros(ctx, shape, GetParam()), v(ctx, shape, GetParam()), out(ctx, shape, GetParam());
  Tensor lse(ctx, {rows, kHeads}, DType::kF32);
  std::vector<BFloat16> halves(static_cast<size_t>(shape.num_elements()), BFloat16(0.0f));
  std::vector<float> values(halves.size(), 0.0f);
  const auto store = [&](View to) {
    for (size_t i = 0; i < values.size(); ++i) halves[i] = BFloat16(values[i]);
    const bool f32 = GetParam() == DType::kF32;
    CopyFromHost(ctx, f32 ? static_cast<void*>(values.data()) : halves.data(), to);
  };
  store(zeros);
  for (int64_t row = 0; row < rows; ++row) {
    for (int head = 0; head < kHeads; ++head) {
      values[static_cast<size_t>((row * kHeads + head) * kDim + row % kDim)] = 1;
    }
  }
  store(v);
  Attention(ctx, zeros, zeros, v, {}, spec, out, lse);
  const std::vector<double> results = ToDoubles(ctx, out);
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t segment = row / kDim;
    for (int head = 0; head < kHeads; ++head) {
      for (int64_t key = begin[segment]; key < end[segment]; ++key) {
        const bool kept = AttentionDropoutKeeps(spec.dropout_key, token_keys[key],
                                                kFirstHead + head, spec.dropout_rate);
        const double result = results[(row * kHeads + head) * kDim + key % kDim];
        ASSERT_EQ(result != 0, kept) << "query " << row << " key " << key << " head " << head;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Dtypes, AttentionDropoutGpuTest,
                         ::testing::Values(DType::kF32, DType::kBF16),
                         [](const auto& info) { return std::string(DTypeName(info.param)); });

// Without tensor cores nothing that is rounded stands between probabilities and their gradients.
TEST(AttentionGpuTest, GradientsOfScoresSumToZero) {
  FROND_GPU_OR_SKIP(gpu);
  const uint64_t seed = std::random_device{}();
  int of_bf16 = 0;
  for (const OpCase& op : AttentionCases()) {
    if (op.inputs.back().name != "bias_table") continue;
    const bool on_tensor_cores =
        op.name.starts_with("attention/causal") && !op.name.ends_with("/of_wide");
    for (const DType dtype : op.dtypes) {
      if (dtype == DType::kBF16 && on_tensor_cores) continue;
      of_bf16 += dtype == DType::kBF16;
      const CaseValues values = DrawValues(op, dtype, seed);
      const CaseResults results = RunCaseOn(*gpu.ctx, op, values, dtype, true);
      EXPECT_LE(BiasGradientImbalance(op, values.dinputs.back(), results.dinputs.back()), 1e-5)
          << op.name << " in " << DTypeName(dtype) << ", seed " << seed;
    }
  }
  EXPECT_GE(of_bf16, 5);
}

TEST(AttentionGpuTest, TwoRunsGiveTheSameBitsAndSendListsOnce) {
  FROND_GPU_OR_SKIP(gpu);
  const cuda::SentLists& lists = gpu.ctx->Backend<cuda::SentLists>();
  for (const OpCase& op : AttentionTileCases()) {
    if (op.name.find("/32/") == std::string::npos) continue;
    const CaseValues values = DrawValues(op, DType::kBF16, std::random_device{}());
    const CaseResults first = RunCaseOn(*gpu.ctx, op, values, DType::kBF16, true);
    const int64_t sent = lists.num_sent();
    const CaseResults second = RunCaseOn(*gpu.ctx, op, values, DType::kBF16, true);
    EXPECT_EQ(first.outputs, second.outputs) << op.name;
    EXPECT_EQ(first.dinputs, second.dinputs) << op.name;
    EXPECT_GT(sent, 0);
    EXPECT_EQ(lists.num_sent(), sent) << op.name;
  }
}

}  // namespace
}  // namespace frond::testing
