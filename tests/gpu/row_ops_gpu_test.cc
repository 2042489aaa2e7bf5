// What the op table does not ask of the ops on rows: masks equal to the CPU's, equal bits from run
// to run, the shapes of large models.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <random>
#include <vector>

#include "core/base/philox.h"
#include "core/ops/cuda/sent_lists.h"
#include "core/ops/dropout.h"
#include "core/ops/embedding.h"
#include "core/ops/gated_gelu.h"
#include "core/ops/rms_norm.h"
#include "core/ops/scatter_rows.h"
#include "core/tensor/transfer.h"
#include "tests/core/ops/op_runner.h"
#include "tests/gpu/gpu_fixture.h"

namespace frond::testing {
namespace {

class RowOpsGpuTest : public ::testing::Test {
 protected:
  // A tensor of standard normal values; each call draws others.
  Tensor Draw(Context& ctx, const Shape& shape, DType dtype) {
    ++key_;
    std::vector<float> values(static_cast<size_t>(shape.num_elements()));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(NormalAt(key_, i));
    return Make(ctx, values, shape, dtype);
  }
  static Tensor Make(Context& ctx, const std::vector<float>& values, const Shape& shape,
                     DType dtype) {
    Tensor x(ctx, shape, dtype);
    if (dtype == DType::kF32) {
      CopyFromHost(ctx, values.data(), x);
    } else {
      const std::vector<BFloat16> rounded(values.begin(), values.end());
      CopyFromHost(ctx, rounded.data(), x);
    }
    return x;
  }

  uint64_t seed_ = std::random_device{}();
  uint64_t key_ = MixBits(seed_);
};

// y + low has 16 bits, y alone the bits that it has without low; also of a part of a row's loads.
TEST_F(RowOpsGpuTest, NormsGiveWhatRoundingLeavesOff) {
  FROND_GPU_OR_SKIP(gpu);
  Context& ctx = *gpu.ctx;
  for (const auto& [tokens, dim] : {std::pair(5, 512), {3, 33}, {2, 4104}, {70, 8}}) {
    const Shape shape = {tokens, dim};
    const Tensor x = Draw(ctx, shape, DType::kF32), scale = Draw(ctx, {dim}, DType::kF32);
    Tensor y(ctx, shape, DType::kBF16), low(ctx, shape, DType::kBF16),
        alone = Draw(ctx, shape, DType::kBF16);
    Tensor rstd(ctx, {tokens}, DType::kF32), wide(ctx, shape, DType::kF32);
    RmsNorm(ctx, x, scale, 1e-6f, y, rstd, low);
    RmsNorm(ctx, x, scale, 1e-6f, alone, rstd);
    RmsNorm(ctx, x, scale, 1e-6f, wide, rstd);
    EXPECT_EQ(ToDoubles(ctx, y), ToDoubles(ctx, alone)) << shape;
    std::vector<double> sum = ToDoubles(ctx, y);
    const std::vector<double> rest = ToDoubles(ctx, low), exact = ToDoubles(ctx, wide);
    EXPECT_GE(RelativeError(sum, exact), 5e-4) << shape;
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += rest[i];
    EXPECT_LE(RelativeError(sum, exact), 1e-5) << shape << ", seed " << seed_;
  }
}

TEST_F(RowOpsGpuTest, DropoutKeepsWhatTheCpuKeeps) {
  FROND_GPU_OR_SKIP(gpu);
  Context& ctx = *gpu.ctx;
  // Wide and narrow loads, a part of a group of columns, one group a row, many.
  for (const int64_t dim : {1, 40, 127, 128, 1000, 4096}) {
    for (const float rate : {0.1f, 0.00001f, 0.999f}) {
      const int64_t tokens = 5;
      std::vector<uint64_t> keys;
      for (int64_t t = 0; t < tokens; ++t) keys.push_back(MixBits(++key_));
      const uint64_t key = MixBits(++key_);
      // Shards of columns begin at a multiple of a group, of a load, and elsewhere.
      const int64_t first_column = std::array{0, 1280, 72, 61}[MixBits(key) % 4];
      const DropoutSpec spec = {
          .rate = rate, .key = key, .token_keys = keys, .first_column = first_column};
      const std::vector<float> ones(static_cast<size_t>(tokens * dim), 1.0f);
      Tensor x = Make(ctx, ones, {tokens, dim}, DType::kBF16);
      Tensor residual = Make(ctx, ones, {tokens, dim}, DType::kF32);
      DropoutAdd(ctx, x, spec, residual, residual);
      Dropout(ctx, x, spec, x);
      const std::vector<double> plain = ToDoubles(ctx, x), added = ToDoubles(ctx, residual);
      for (int64_t i = 0; i < tokens * dim; ++i) {
        const auto at = static_cast<size_t>(i);
        const bool keeps =
            DropoutKeeps(key, keys[static_cast<size_t>(i / dim)], first_column + i % dim, rate);
        ASSERT_EQ(plain[at] != 0, keeps) << i << " of rows of " << dim << ", seed " << seed_;
        ASSERT_EQ(added[at] != 1, keeps) << i << " of rows of " << dim << ", seed " << seed_;
      }
    }
  }
}

TEST_F(RowOpsGpuTest, ListsAreSentOnce) {
  FROND_GPU_OR_SKIP(gpu);
  cuda::SentLists& sent = gpu.ctx->Backend<cuda::SentLists>();
  // More lists than are kept, equal but for their ends, each asked for twice.
  std::vector<uint64_t> keys = {1, 2, 3, 0};
  const int lists = 2 * cuda::SentLists::kMaxLists;
  for (int i = 0; i < lists; ++i) {
    keys.back() = MixBits(static_cast<uint64_t>(i));
    const uint64_t* first = sent.OnDevice(*gpu.ctx, std::span<const uint64_t>(keys));
    ASSERT_EQ(sent.OnDevice(*gpu.ctx, std::span<const uint64_t>(keys)), first);
    std::vector<uint64_t> back(keys.size());
    gpu.memory->CopyToHost(first, keys.size() * sizeof(uint64_t), back.data());
    ASSERT_EQ(back, keys);
    ASSERT_EQ(sent.num_sent(), i + 1);
  }
  keys.resize(3);
  sent.OnDevice(*gpu.ctx, std::span<const uint64_t>(keys));
  EXPECT_EQ(sent.num_sent(), lists + 1);
}

TEST_F(RowOpsGpuTest, EmbeddingGradientOfFrequentIdsHasTheSameBitsEachTime) {
  FROND_GPU_OR_SKIP(gpu);
  Context& ctx = *gpu.ctx;
  for (const int64_t dim : {24, 7}) {
    // Most tokens are id 3: several pieces; one id has exactly a piece; others come once.
    std::vector<int32_t> ids(1000);
    for (size_t t = 0; t < ids.size(); ++t) {
      ids[t] = t % 3 != 0 ? 3 : t % 2 == 0 ? static_cast<int32_t>(t % 64) : 100;
    }
    const Tensor dy = Draw(ctx, {1000, dim}, DType::kBF16);
    const std::vector<float> start(static_cast<size_t>(128 * dim), 0.25f);
    Tensor first = Make(ctx, start, {128, dim}, DType::kF32);
    Tensor second = Make(ctx, start, {128, dim}, DType::kF32);
    EmbeddingGrad(ctx, dy, ids, first);
    EmbeddingGrad(ctx, dy, ids, second);
    const std::vector<double> values = ToDoubles(ctx, dy), result = ToDoubles(ctx, first);
    EXPECT_EQ(result, ToDoubles(ctx, second));
    std::vector<double> expected(start.begin(), start.end());
    for (size_t i = 0; i < values.size(); ++i) {
      const auto column = i % static_cast<size_t>(dim), token = i / static_cast<size_t>(dim);
      expected[static_cast<size_t>(ids[token] * dim) + column] += values[i];
    }
    EXPECT_LE(RelativeError(result, expected), 5e-7) << "seed " << seed_;
  }
}

// Relative errors of an RMS norm and its gradients on the GPU against f64 on the CPU.
void CheckNorm(Context& ctx, ConstView x, ConstView dy, ConstView scale, uint64_t seed) {
  CpuAllocator memory;
  Context exact(memory);
  const int64_t rows = x.dim(0), dim = x.dim(1);
  const auto widen = [&](ConstView v) {
    Tensor wide(exact, v.shape, DType::kF64);
    CopyFromHost(exact, ToDoubles(ctx, v).data(), wide);
    return wide;
  };
  const auto zeros = [](Context& c, int64_t d, DType dtype) {
    Tensor t(c, {d}, dtype);
    const std::vector<char> bytes(t.bytes(), 0);
    CopyFromHost(c, bytes.data(), t);
    return t;
  };
  const auto run = [&](Context& c, ConstView x_in, ConstView dy_in, ConstView scale_in) {
    Tensor y(c, x_in.shape, x_in.dtype), rstd(c, {rows}, scale_in.dtype);
    Tensor dx(c, x_in.shape, x_in.dtype), dscale = zeros(c, dim, scale_in.dtype);
    RmsNorm(c, x_in, scale_in, 1e-6f, y, rstd);
    RmsNormGrad(c, dy_in, x_in, scale_in, rstd, Write::kAssign, dx, dscale);
    return Arrays{ToDoubles(c, y), ToDoubles(c, rstd), ToDoubles(c, dx), ToDoubles(c, dscale)};
  };
  const Arrays ours = run(ctx, x, dy, scale);
  EXPECT_EQ(ours, run(ctx, x, dy, scale)) << "not the same bits twice";
  const Arrays reference = run(exact, widen(x), widen(dy), widen(scale));
  const double rounding = x.dtype == DType::kBF16 ? 4e-3 : 1e-6;
  const double tolerances[] = {rounding, 1e-6, rounding, 1e-6};
  for (size_t i = 0; i < ours.size(); ++i) {
    EXPECT_LE(RelativeError(ours[i], reference[i]), tolerances[i])
        << "result " << i << " of " << x.shape << ", seed " << seed;
  }
}

TEST_F(RowOpsGpuTest, NormsRowsOfLargeModelsWithTheSameBitsEachTime) {
  FROND_GPU_OR_SKIP(gpu);
  Context& ctx = *gpu.ctx;
  for (const auto& [rows, dim] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 4096}, {33, 4096}, {3, 8192}, {2, 16384}, {3, 5001}, {300, 768}, {70, 2048}}) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      const Tensor x = Draw(ctx, {rows, dim}, dtype), dy = Draw(ctx, {rows, dim}, dtype);
      CheckNorm(ctx, x, dy, Draw(ctx, {dim}, DType::kF32), seed_);
    }
  }
}

TEST_F(RowOpsGpuTest, GatesSaturateWithoutNan) {
  FROND_GPU_OR_SKIP(gpu);
  Context& ctx = *gpu.ctx;
  const std::vector<float> gates = {-1e10f, -100, -20, -5, 0, 5, 20, 100, 1e10f};
  const Shape shape = {1, std::ssize(gates)};
  const Tensor gate = Make(ctx, gates, shape, DType::kF32);
  const Tensor ones = Make(ctx, std::vector<float>(gates.size(), 1.0f), shape, DType::kF32);
  Tensor y(ctx, shape, DType::kF32), dgate(ctx, shape, DType::kF32), dup(ctx, shape, DType::kF32);
  GatedGelu(ctx, gate, ones, y);
  GatedGeluGrad(ctx, ones, gate, ones, dgate, dup);
  const std::vector<double> values = ToDoubles(ctx, y), slopes = ToDoubles(ctx, dgate);
  for (size_t i = 0; i < gates.size(); ++i) {
    const bool is_open = gates[i] > 10, is_shut = gates[i] < -10;
    if (!is_open && !is_shut) continue;
    EXPECT_FLOAT_EQ(static_cast<float>(values[i]), is_open ? gates[i] : 0.0f);
    EXPECT_FLOAT_EQ(static_cast<float>(slopes[i]), is_open ? 1.0f : 0.0f) << gates[i];
  }
}

TEST_F(RowOpsGpuTest, ScattersRows) {
  FROND_GPU_OR_SKIP(gpu);
  Context& ctx = *gpu.ctx;
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    for (const int64_t dim : {3, 64, 4096}) {
      const std::vector<int64_t> rows = {5, 0, 3};
      for (const int64_t skipped : {0, 8, 5}) {  // columns of a wider x
        const int64_t width = skipped + dim;
        const Tensor x = Draw(ctx, {3, width}, dtype);
        Tensor y = Draw(ctx, {6, dim}, dtype);
        std::vector<double> expected = ToDoubles(ctx, y);
        const std::vector<double> values = ToDoubles(ctx, x);
        for (size_t i = 0; i < rows.size(); ++i) {
          std::copy_n(values.begin() + static_cast<int64_t>(i) * width + skipped, dim,
                      expected.begin() + rows[i] * dim);
        }
        ScatterRows(ctx, ColumnsOf(x.view(), skipped, width), rows, y);
        EXPECT_EQ(ToDoubles(ctx, y), expected);
      }
    }
  }
}

}  // namespace
}  // namespace frond::testing
