// cuDNN's attention on a GPU against our op in f64 on the CPU.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/base/philox.h"
#include "core/ops/attention.h"
#include "core/ops/cuda/cudnn_attention.h"
#include "core/tensor/transfer.h"
#include "tests/core/ops/op_runner.h"
#include "tests/gpu/gpu_fixture.h"

namespace frond::testing {
namespace {

constexpr int kHeads = 3, kHeadDim = 64, kBuckets = 32;
// Relative L2 errors, as for our own op in bf16; sums over all segments that were rounded to bf16.
constexpr double kTolerance = 1e-2, kBiasTolerance = 2e-2;

struct Problem {
  std::string name;
  std::vector<int32_t> queries, keys;  // lengths of the segments
  bool causal = false, bias = false, deterministic = false;
};

class CudnnAttentionGpuTest : public ::testing::TestWithParam<Problem> {
 protected:
  CudnnAttentionGpuTest() : cpu_(memory_), seed_(std::random_device{}()) {
    const Problem& p = GetParam();
    Bounds(p.queries, query_begin_, query_end_);
    Bounds(p.keys, key_begin_, key_end_);
    spec_ = {.num_heads = kHeads, .head_dim = kHeadDim, .causal = p.causal};
    spec_.query_begin = query_begin_;
    spec_.query_end = query_end_;
    spec_.key_begin = key_begin_;
    spec_.key_end = key_end_;
    spec_.bidirectional = !p.causal;
    spec_.num_buckets = kBuckets;
  }

  static void Bounds(const std::vector<int32_t>& lengths, std::vector<int32_t>& begin,
                     std::vector<int32_t>& end) {
    int32_t row = 0;
    for (const int32_t length : lengths) {
      begin.push_back(row);
      end.push_back(row += length);
    }
  }
  // Normal values that bf16 holds exactly.
  std::vector<double> Draw(int64_t count, double spread) {
    ++stream_;
    std::vector<double> values;
    for (int64_t i = 0; i < count; ++i) {
      const double value = spread * NormalAt(seed_ + stream_, static_cast<uint64_t>(i));
      values.push_back(static_cast<float>(BFloat16(static_cast<float>(value))));
    }
    return values;
  }
  Tensor Exact(const std::vector<double>& values, const Shape& shape) {
    Tensor tensor(cpu_, shape, DType::kF64);
    CopyFromHost(cpu_, values.data(), tensor);
    return tensor;
  }
  static Tensor Rounded(Context& ctx, const std::vector<double>& values, const Shape& shape) {
    std::vector<BFloat16> rounded;
    for (const double value : values) rounded.emplace_back(static_cast<float>(value));
    Tensor tensor(ctx, shape, DType::kBF16);
    CopyFromHost(ctx, rounded.data(), tensor);
    return tensor;
  }

  int64_t Longest(const std::vector<int32_t>& lengths) const {
    return *std::max_element(lengths.begin(), lengths.end());
  }
  // The place in the table [buckets, heads] of each element of [heads, queries, keys].
  std::vector<size_t> TablePlaces() const {
    const int64_t queries = Longest(GetParam().queries), keys = Longest(GetParam().keys);
    std::vector<size_t> places;
    for (int head = 0; head < kHeads; ++head) {
      for (int64_t i = 0; i < queries; ++i) {
        for (int64_t j = 0; j < keys; ++j) {
          const int bucket = RelativePositionBucket(j - i, spec_.bidirectional, spec_.num_buckets,
                                                    spec_.max_distance);
          places.push_back(static_cast<size_t>(bucket * kHeads + head));
        }
      }
    }
    return places;
  }

  CpuAllocator memory_;
  Context cpu_;
  uint64_t seed_, stream_ = 0;
  std::vector<int32_t> query_begin_, query_end_, key_begin_, key_end_;
  AttentionSpec spec_;
};

TEST_P(CudnnAttentionGpuTest, AgreesWithF64OnTheCpu) {
  FROND_GPU_OR_SKIP(gpu);
  Context& ctx = *gpu.ctx;
  const Problem& p = GetParam();
  SCOPED_TRACE("seed " + std::to_string(seed_));
  const absl::StatusOr<std::unique_ptr<cuda::CudnnAttention>> cudnn =
      cuda::CudnnAttention::Create(ctx, spec_, {.bias = p.bias, .deterministic = p.deterministic});
  ASSERT_TRUE(cudnn.ok()) << cudnn.status();

  const Shape wide_q = {query_end_.back(), kHeads * kHeadDim};
  const Shape wide_k = {key_end_.back(), kHeads * kHeadDim};
  const auto q = Draw(wide_q.num_elements(), 0.3), k = Draw(wide_k.num_elements(), 0.3);
  const auto v = Draw(wide_k.num_elements(), 1), dout = Draw(wide_q.num_elements(), 1);
  const auto table = Draw(kBuckets * kHeads, 1);

  // Ours.
  const Tensor eq = Exact(q, wide_q), ek = Exact(k, wide_k), ev = Exact(v, wide_k);
  const Tensor edout = Exact(dout, wide_q);
  Tensor etable, edtable;
  const std::vector<double> zeros(table.size());
  if (p.bias) etable = Exact(table, {kBuckets, kHeads}), edtable = Exact(zeros, {kBuckets, kHeads});
  Tensor eout(cpu_, wide_q, DType::kF64), else_(cpu_, {wide_q.dim(0), kHeads}, DType::kF64);
  Tensor edq(cpu_, wide_q, DType::kF64), edk(cpu_, wide_k, DType::kF64);
  Tensor edv(cpu_, wide_k, DType::kF64);
  Attention(cpu_, eq, ek, ev, etable, spec_, eout, else_);
  AttentionGrad(cpu_, edout, eq, ek, ev, etable, eout, else_, spec_, edq, edk, edv, edtable);

  // cuDNN's.
  const std::vector<size_t> places = p.bias ? TablePlaces() : std::vector<size_t>();
  std::vector<double> addends;
  for (const size_t place : places) addends.push_back(table[place]);
  const Shape scores = {static_cast<int64_t>(places.size())};
  const Tensor dq_in = Rounded(ctx, q, wide_q), dk_in = Rounded(ctx, k, wide_k);
  const Tensor dv_in = Rounded(ctx, v, wide_k), ddout = Rounded(ctx, dout, wide_q);
  const Tensor bias = Rounded(ctx, addends, scores);
  Tensor out(ctx, wide_q, DType::kBF16), dbias(ctx, scores, DType::kBF16);
  Tensor dq(ctx, wide_q, DType::kBF16), dk(ctx, wide_k, DType::kBF16);
  Tensor dv(ctx, wide_k, DType::kBF16);
  ASSERT_EQ((*cudnn)->Forward(ctx, dq_in, dk_in, dv_in, bias, out), absl::OkStatus());
  ASSERT_EQ((*cudnn)->Gradient(ctx, ddout, dq_in, dk_in, dv_in, bias, out,
                               {.dq = dq, .dk = dk, .dv = dv, .dbias = dbias}),
            absl::OkStatus());

  const auto compare = [&](const char* name, const Tensor& found, const Tensor& exact) {
    const double error = RelativeError(ToDoubles(ctx, found), ToDoubles(cpu_, exact));
    EXPECT_LE(error, kTolerance) << p.name << " " << name;
    std::printf("    %-24s %-4s %.1e\n", p.name.c_str(), name, error);
  };
  compare("out", out, eout);
  compare("dq", dq, edq);
  compare("dk", dk, edk);
  compare("dv", dv, edv);
  if (!p.bias) return;
  std::vector<double> dtable(table.size());
  const std::vector<double> dscores = ToDoubles(ctx, dbias);
  for (size_t i = 0; i < places.size(); ++i) dtable[places[i]] += dscores[i];
  EXPECT_LE(RelativeError(dtable, ToDoubles(cpu_, edtable)), kBiasTolerance) << p.name << " dbias";
}

std::vector<Problem> Problems() {
  const std::vector<int32_t> equal = {128, 128, 128}, ragged = {200, 7, 64}, few = {40, 3, 100};
  return {
      {.name = "self", .queries = equal, .keys = equal},
      {.name = "self_deterministic", .queries = equal, .keys = equal, .deterministic = true},
      {.name = "causal", .queries = equal, .keys = equal, .causal = true},
      {.name = "cross_packed", .queries = few, .keys = ragged},
      {.name = "causal_packed", .queries = ragged, .keys = ragged, .causal = true},
      {.name = "self_bias", .queries = equal, .keys = equal, .bias = true},
      {.name = "causal_bias", .queries = equal, .keys = equal, .causal = true, .bias = true},
      {.name = "self_packed_bias", .queries = ragged, .keys = ragged, .bias = true},
  };
}
INSTANTIATE_TEST_SUITE_P(Problems, CudnnAttentionGpuTest, ::testing::ValuesIn(Problems()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace frond::testing
