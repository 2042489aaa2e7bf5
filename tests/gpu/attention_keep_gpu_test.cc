// Dropout as factors on the rows of v: which they are, and that attention without dropout over such
// rows is attention with it. cuDNN's cross-attention rests on that.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "core/base/philox.h"
#include "core/ops/cuda/attention_keep.h"
#include "core/tensor/transfer.h"
#include "tests/core/ops/op_runner.h"
#include "tests/gpu/gpu_fixture.h"

namespace frond::testing {
namespace {

constexpr int kHeads = 11, kFirstHead = 6;
constexpr float kRate = 0.4f;
// Relative L2 error of two ways to compute in bf16: probabilities or values are rounded after the
// factor.
constexpr double kTolerance = 2e-2;

class AttentionKeepGpuTest : public ::testing::TestWithParam<int> {
 protected:
  AttentionKeepGpuTest() {
    for (uint64_t& key : token_keys_) key = MixBits(seed_ + ++stream_);
    spec_ = {.num_heads = kHeads,
             .head_dim = GetParam(),
             .first_head = kFirstHead,
             .query_begin = query_begin_,
             .query_end = query_end_,
             .key_begin = key_begin_,
             .key_end = key_end_,
             .dropout_rate = kRate,
             .dropout_key = MixBits(seed_),
             .key_token_keys = token_keys_};
  }

  // Normal values of [rows, heads * head_dim].
  std::vector<BFloat16> Draw(int64_t rows) {
    ++stream_;
    std::vector<BFloat16> values;
    for (int64_t i = 0; i < rows * Width(); ++i) {
      values.emplace_back(static_cast<float>(NormalAt(seed_ + stream_, static_cast<uint64_t>(i))));
    }
    return values;
  }
  Tensor Make(Context& ctx, const std::vector<BFloat16>& values) const {
    Tensor tensor(ctx, {static_cast<int64_t>(values.size()) / Width(), Width()}, DType::kBF16);
    CopyFromHost(ctx, values.data(), tensor);
    return tensor;
  }
  int64_t Width() const { return int64_t{kHeads} * GetParam(); }

  const uint64_t seed_ = std::random_device{}();
  uint64_t stream_ = 0;
  const std::vector<int32_t> query_begin_ = {0, 40}, query_end_ = {40, 47};
  const std::vector<int32_t> key_begin_ = {0, 30}, key_end_ = {30, 131};
  std::vector<uint64_t> token_keys_ = std::vector<uint64_t>(131);
  AttentionSpec spec_;
};

TEST_P(AttentionKeepGpuTest, ScalesWhatTheCpuKeepsAndDropsTheRest) {
  FROND_GPU_OR_SKIP(gpu);
  Context& ctx = *gpu.ctx;
  SCOPED_TRACE("seed " + std::to_string(seed_));
  const std::vector<BFloat16> values = Draw(131);
  Tensor x = Make(ctx, values), y(ctx, x.shape(), DType::kBF16);
  const Tensor keep = cuda::MakeKeep(ctx, spec_, 131);
  cuda::ScaleByKeep(ctx, x, keep, y);
  cuda::ScaleByKeep(ctx, x, keep, x);
  const std::vector<double> scaled = ToDoubles(ctx, y);
  int64_t dropped = 0;
  for (int64_t i = 0; i < 131 * Width(); ++i) {
    const auto head = static_cast<int>(i % Width() / GetParam());
    const bool kept = AttentionDropoutKeeps(
        spec_.dropout_key, token_keys_[static_cast<size_t>(i / Width())], kFirstHead + head, kRate);
    const float factor = kept ? 1 / (1 - kRate) : 0;
    const BFloat16 expected(static_cast<float>(values[static_cast<size_t>(i)]) * factor);
    ASSERT_EQ(scaled[static_cast<size_t>(i)], static_cast<float>(expected))
        << "row " << i / Width() << " head " << head;
    if (!kept) ++dropped;
  }
  EXPECT_GT(dropped, 0);
  EXPECT_EQ(ToDoubles(ctx, x), scaled);
}

TEST_P(AttentionKeepGpuTest, AttentionOverScaledValuesIsAttentionWithDropout) {
  FROND_GPU_OR_SKIP(gpu);
  Context& ctx = *gpu.ctx;
  SCOPED_TRACE("seed " + std::to_string(seed_));
  const Tensor q = Make(ctx, Draw(47)), k = Make(ctx, Draw(131)), v = Make(ctx, Draw(131));
  const Tensor dout = Make(ctx, Draw(47));
  struct Results {
    Results(Context& ctx, ConstView q, ConstView k)
        : out(ctx, q.shape, q.dtype),
          dq(ctx, q.shape, q.dtype),
          dk(ctx, k.shape, k.dtype),
          dv(ctx, k.shape, k.dtype),
          lse(ctx, {q.dim(0), kHeads}, DType::kF32) {}
    Tensor out, dq, dk, dv, lse;
  };
  const auto attend = [&](const AttentionSpec& spec, ConstView values, Results& r) {
    Attention(ctx, q, k, values, {}, spec, r.out, r.lse);
    AttentionGrad(ctx, dout, q, k, values, {}, r.out, r.lse, spec, r.dq, r.dk, r.dv, {});
  };
  Results with_dropout(ctx, q, k), over_scaled(ctx, q, k);
  attend(spec_, v, with_dropout);

  const Tensor keep = cuda::MakeKeep(ctx, spec_, 131);
  Tensor scaled(ctx, v.shape(), DType::kBF16);
  cuda::ScaleByKeep(ctx, v, keep, scaled);
  AttentionSpec without = spec_;
  without.dropout_rate = 0;
  attend(without, scaled, over_scaled);
  cuda::ScaleByKeep(ctx, over_scaled.dv, keep, over_scaled.dv);

  const auto expect_near = [&](const char* name, const Tensor& a, const Tensor& b) {
    EXPECT_LE(RelativeError(ToDoubles(ctx, a), ToDoubles(ctx, b)), kTolerance) << name;
  };
  expect_near("out", over_scaled.out, with_dropout.out);
  expect_near("dq", over_scaled.dq, with_dropout.dq);
  expect_near("dk", over_scaled.dk, with_dropout.dk);
  expect_near("dv", over_scaled.dv, with_dropout.dv);
}

INSTANTIATE_TEST_SUITE_P(HeadDims, AttentionKeepGpuTest, ::testing::Values(8, 64),
                         [](const auto& info) { return std::to_string(info.param); });

}  // namespace
}  // namespace frond::testing
