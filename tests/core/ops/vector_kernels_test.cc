// Every set of vector kernels that this machine can run, against the f64 kernels of the plain one.
// The table of op cases runs only the best set.
#include "core/ops/cpu/vector_kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "core/base/philox.h"
#include "core/tensor/allocator.h"

namespace frond::cpu {
namespace {

constexpr double kTolerance = 1e-6, kBf16Tolerance = 3e-3;

template <class A>
std::vector<A> Draw(int64_t count, uint64_t key, double spread) {
  std::vector<A> values(count);
  for (int64_t i = 0; i < count; ++i) {
    values[i] = static_cast<A>(static_cast<float>(spread * NormalAt(key, i)));
  }
  return values;
}

template <class A>
void Append(std::vector<double>& all, const std::vector<A>& values) {
  for (const A value : values) {
    if constexpr (std::is_same_v<A, BFloat16>) {
      all.push_back(static_cast<float>(value));
    } else {
      all.push_back(value);
    }
  }
}

double RelativeError(const std::vector<double>& a, const std::vector<double>& b) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return std::sqrt(difference / norm);
}

void Forward(const VectorKernels& set, const AttentionHead<float>& h) { set.attention_f32(h); }
void Forward(const VectorKernels& set, const AttentionHead<double>& h) { set.attention_f64(h); }
void Backward(const VectorKernels& set, const AttentionHead<float>& h) {
  set.attention_grad_f32(h);
}
void Backward(const VectorKernels& set, const AttentionHead<double>& h) {
  set.attention_grad_f64(h);
}
void Forward(const VectorKernels& set, const AttentionHead<float, BFloat16>& h) {
  set.attention_f32_to_bf16(h);
}
void Backward(const VectorKernels& set, const AttentionHead<float, BFloat16>& h) {
  set.attention_grad_f32_to_bf16(h);
}

// dout is rounded to bf16 whatever the types are.
template <class A, class Out = A>
std::vector<double> RunAttention(const VectorKernels& set, int64_t queries, int64_t keys,
                                 int64_t dim, bool causal) {
  const std::vector<A> q = Draw<A>(queries * dim, 1, 0.4), k = Draw<A>(keys * dim, 2, 0.4),
                       v = Draw<A>(keys * dim, 3, 1),
                       bias = Draw<A>(2 * (queries + keys) + kAttentionPadding, 5, 1);
  std::vector<Out> dout, out(queries * dim), dq(queries * dim), dk(keys * dim), dv(keys * dim);
  for (const float value : Draw<float>(queries * dim, 4, 1)) {
    dout.push_back(Out(static_cast<float>(BFloat16(value))));
  }
  std::vector<A> lse(queries), dbias(bias.size(), A{0});
  std::vector<uint64_t> token_keys(keys);
  for (int64_t j = 0; j < keys; ++j) token_keys[j] = 5 * j;
  CpuAllocator memory;
  A* scratch = static_cast<A*>(
      memory.Allocate(AttentionScratch(keys, dim) * sizeof(A), MemoryKind::kWorkspace));
  const AttentionHead<A, Out> head = {.num_queries = queries,
                                      .num_keys = keys,
                                      .head_dim = dim,
                                      .query_stride = dim,
                                      .key_stride = dim,
                                      .out_stride = dim,
                                      .causal = causal,
                                      .offset = causal ? keys - queries : 0,
                                      .q = q.data(),
                                      .k = k.data(),
                                      .v = v.data(),
                                      .bias = bias.data() + queries + keys,
                                      .token_keys = token_keys.data(),
                                      .dropout_key = 3,
                                      .head = 5,
                                      .dropout_threshold = 0x4000,
                                      .keep_scale = A{4} / A{3},
                                      .out = out.data(),
                                      .lse = lse.data(),
                                      .lse_stride = 1,
                                      .dout = dout.data(),
                                      .dq = dq.data(),
                                      .dk = dk.data(),
                                      .dv = dv.data(),
                                      .dbias = dbias.data() + queries + keys,
                                      .scratch = scratch};
  Forward(set, head);
  Backward(set, head);
  memory.Free(scratch);
  std::vector<double> results;
  for (const auto* part : {&out, &dq, &dk, &dv}) Append(results, *part);
  for (const auto* part : {&lse, &dbias}) Append(results, *part);
  return results;
}

class VectorKernelsTest : public ::testing::TestWithParam<const VectorKernels*> {};

TEST_P(VectorKernelsTest, Attention) {
  for (const int64_t dim : {8, 20, 64, 100}) {
    for (const auto& [queries, keys] : std::vector<std::pair<int64_t, int64_t>>{
             {1, 1}, {1, 70}, {2, 3}, {7, 7}, {53, 131}, {131, 200}}) {
      for (const bool causal : {false, true}) {
        const std::vector<double> exact =
            RunAttention<double>(generic::Kernels(), queries, keys, dim, causal);
        EXPECT_LE(
            RelativeError(RunAttention<float>(*GetParam(), queries, keys, dim, causal), exact),
            kTolerance)
            << queries << " queries, " << keys << " keys, dim " << dim;
        EXPECT_LE(
            RelativeError(RunAttention<float, BFloat16>(*GetParam(), queries, keys, dim, causal),
                          exact),
            kBf16Tolerance)
            << "to bf16: " << queries << " queries, " << keys << " keys, dim " << dim;
      }
    }
  }
}

// y + low has 16 bits of a norm.
TEST_P(VectorKernelsTest, NormsGiveWhatRoundingLeavesOff) {
  constexpr int64_t kRows = 3, kDim = 301;
  const std::vector<float> x = Draw<float>(kRows * kDim, 1, 1), scale = Draw<float>(kDim, 4, 1);
  std::vector<BFloat16> y(kRows * kDim), low(kRows * kDim);
  std::vector<float> rstd(kRows);
  RmsNormRows rows = {.rows = kRows,
                      .dim = kDim,
                      .x = {x.data(), DType::kF32},
                      .scale = scale.data(),
                      .epsilon = 1e-3f,
                      .y = {y.data(), DType::kBF16},
                      .low = low.data(),
                      .rstd = rstd.data()};
  GetParam()->rms_norm(rows);
  std::vector<double> exact, sum;
  for (int64_t i = 0; i < kRows * kDim; ++i) {
    exact.push_back(static_cast<double>(x[i]) * rstd[i / kDim] * scale[i % kDim]);
    sum.push_back(static_cast<double>(static_cast<float>(y[i])) + static_cast<float>(low[i]));
  }
  EXPECT_LE(RelativeError(sum, exact), 1e-5);
  std::vector<double> high;
  Append(high, y);
  EXPECT_GE(RelativeError(high, exact), 5e-4);
}

template <class A>
std::vector<double> RunRows(const VectorKernels& set, DType dtype) {
  constexpr int64_t kRows = 5, kDim = 300, kCount = kRows * kDim;
  const std::vector<A> x = Draw<A>(kCount, 1, 1), up = Draw<A>(kCount, 2, 1),
                       dy = Draw<A>(kCount, 3, 1), scale = Draw<A>(kDim, 4, 1);
  std::vector<A> y(kCount), dx(kCount), rstd(kRows), dscale(kDim, A{0}), gelu(kCount),
      dgate(kCount), dup(kCount), dropped(kCount);
  set.rms_norm({.rows = kRows,
                .dim = kDim,
                .x = {x.data(), dtype},
                .scale = scale.data(),
                .epsilon = 1e-3f,
                .y = {y.data(), dtype},
                .rstd = rstd.data()});
  set.rms_norm_grad({.rows = kRows,
                     .dim = kDim,
                     .dy = {dy.data(), dtype},
                     .x = {x.data(), dtype},
                     .scale = scale.data(),
                     .rstd = rstd.data(),
                     .dx = {dx.data(), dtype},
                     .dscale = dscale.data()});
  const GatedGeluRun run = {.count = kCount,
                            .dtype = dtype,
                            .dy = dy.data(),
                            .gate = x.data(),
                            .up = up.data(),
                            .y = gelu.data(),
                            .dgate = dgate.data(),
                            .dup = dup.data()};
  set.gated_gelu(run);
  set.gated_gelu_grad(run);
  const std::vector<uint64_t> token_keys = {9, 8, 7, 6, ~0ull};
  set.dropout({.rows = kRows,
               .dim = kDim,
               .x = {x.data(), dtype},
               .key = 77,
               .token_keys = token_keys.data(),
               .first_column = 77,
               .threshold = 0x3000,
               .keep_scale = 1.25,
               .residual = up.data(),
               .out = {dropped.data(), dtype}});
  std::vector<double> results;
  for (const auto* part : {&y, &rstd, &dx, &dscale, &gelu, &dgate, &dup, &dropped}) {
    Append(results, *part);
  }
  return results;
}

TEST_P(VectorKernelsTest, Rows) {
  EXPECT_LE(RelativeError(RunRows<float>(*GetParam(), DType::kF32),
                          RunRows<double>(generic::Kernels(), DType::kF64)),
            kTolerance);
}

TEST_P(VectorKernelsTest, GeluAtTheEndsOfItsRange) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> gate = {-kInfinity, -1e30f, -100.f, -6.f,      -1.f, -1e-30f, 0.f,
                                   1e-30f,     1.f,    6.f,    kInfinity, NAN,  1e12f,   -12.f};
  const std::vector<float> up(gate.size(), 1.f);
  std::vector<float> y(gate.size());
  GetParam()->gated_gelu({.count = static_cast<int64_t>(gate.size()),
                          .gate = gate.data(),
                          .up = up.data(),
                          .y = y.data()});
  for (size_t i = 0; i < gate.size(); ++i) {
    const double g = gate[i];
    if (std::isnan(g)) {
      EXPECT_TRUE(std::isnan(y[i]));
    } else if (g == -kInfinity) {
      EXPECT_TRUE(y[i] == 0 || std::isnan(y[i])) << y[i];
    } else if (g == kInfinity) {
      EXPECT_EQ(y[i], kInfinity);
    } else {
      const double u = 0.79788456080286536 * (g + 0.044715 * g * g * g);
      const double expected = g / (1 + std::exp(-2 * u));
      EXPECT_NEAR(y[i], expected, 2e-6 * std::abs(expected) + 1e-29) << g;
    }
  }
}

TEST_P(VectorKernelsTest, BFloat16RoundsAsTheTypeDoes) {
  constexpr int64_t kDim = 37;
  std::vector<BFloat16> x(kDim), y(kDim);
  std::vector<float> scale(kDim);
  for (int64_t i = 0; i < kDim; ++i) {
    x[i] = BFloat16(static_cast<float>(NormalAt(8, i)));
    scale[i] = static_cast<float>(NormalAt(9, i));
  }
  x[5] = BFloat16(NAN);
  const std::vector<uint64_t> token_keys = {0};
  std::vector<BFloat16> residual(kDim);
  for (int64_t i = 0; i < kDim; ++i) residual[i] = BFloat16(scale[i]);
  GetParam()->dropout({.rows = 1,
                       .dim = kDim,
                       .x = {x.data(), DType::kBF16},
                       .token_keys = token_keys.data(),
                       .residual = residual.data(),
                       .out = {y.data(), DType::kBF16}});
  for (int64_t i = 0; i < kDim; ++i) {
    const float sum = static_cast<float>(x[i]) + static_cast<float>(residual[i]);
    if (i == 5) {
      EXPECT_TRUE(std::isnan(static_cast<float>(y[i])));
    } else {
      EXPECT_EQ(y[i].bits, BFloat16(sum).bits) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sets, VectorKernelsTest,
                         ::testing::ValuesIn(AvailableVectorKernels().begin(),
                                             AvailableVectorKernels().end()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace frond::cpu
