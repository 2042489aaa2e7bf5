// Cross-attention through cuDNN on a GPU: against our op in f64 on the CPU, with dropout, ragged
// segments and rows that attend to nothing; the same bits again; batches cut into groups.
#include <gtest/gtest.h>

#include <cstdio>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/base/philox.h"
#include "core/ops/attention.h"
#include "core/ops/attention_groups.h"
#include "core/ops/elementwise.h"
#include "core/tensor/transfer.h"
#include "tests/core/ops/op_runner.h"
#include "tests/gpu/gpu_fixture.h"

namespace frond::testing {
namespace {

// Relative L2 errors, as for our own op in bf16.
constexpr double kTolerance = 1e-2, kLseTolerance = 1e-3;

struct Problem {
  std::string name;
  std::vector<std::pair<int32_t, int32_t>> segments;  // queries and keys
  int heads = 3, head_dim = 64;
  float dropout = 0;
};

// The values of all results, as doubles.
struct Results {
  std::vector<double> out, lse, dq, dk, dv;
  bool operator==(const Results&) const = default;
};

class CrossAttentionRun {
 public:
  CrossAttentionRun(const Problem& problem, uint64_t seed) : problem_(problem), seed_(seed) {
    for (const auto& [queries, keys] : problem.segments) {
      query_begin_.push_back(query_rows_);
      key_begin_.push_back(key_rows_);
      query_end_.push_back(query_rows_ += queries);
      key_end_.push_back(key_rows_ += keys);
    }
    key_rows_ += 3;  // in no segment
    for (int32_t row = 0; row < key_rows_; ++row) token_keys_.push_back(MixBits(seed + row));
    spec_ = {.num_heads = problem.heads,
             .head_dim = problem.head_dim,
             .first_head = 6,
             .query_begin = query_begin_,
             .query_end = query_end_,
             .key_begin = key_begin_,
             .key_end = key_end_,
             .dropout_rate = problem.dropout,
             .dropout_key = MixBits(seed),
             .key_token_keys = token_keys_};
    q_ = Draw(query_rows_, 0.3);
    k_ = Draw(key_rows_, 0.3);
    v_ = Draw(key_rows_, 1);
    dout_ = Draw(query_rows_, 1);
  }
  const AttentionSpec& spec() const { return spec_; }
  int64_t query_rows() const { return query_rows_; }
  int64_t key_rows() const { return key_rows_; }

  Results Run(Context& ctx, DType dtype, AttentionEngine engine) const {
    const DType statistics = dtype == DType::kF64 ? DType::kF64 : DType::kF32;
    AttentionSpec spec = spec_;
    spec.engine = engine;
    const Tensor q = Make(ctx, q_, dtype), kv = Make(ctx, SideBySide(k_, v_), dtype, 2);
    const Tensor dout = Make(ctx, dout_, dtype);
    Tensor out = Unset(ctx, q.shape(), dtype), dq = Unset(ctx, q.shape(), dtype);
    Tensor dkv = Unset(ctx, kv.shape(), dtype);
    Tensor lse = Unset(ctx, {query_rows_, spec.num_heads}, statistics);
    const int64_t width = Width();
    const ConstColumns k = ColumnsOf(kv.view(), 0, width);
    const ConstColumns v = ColumnsOf(kv.view(), width, 2 * width);
    Attention(ctx, q, k, v, {}, spec, out, lse);
    AttentionGrad(ctx, dout, q, k, v, {}, out, lse, spec, dq, ColumnsOf(dkv.view(), 0, width),
                  ColumnsOf(dkv.view(), width, 2 * width), {});
    const std::vector<double> dboth = ToDoubles(ctx, dkv);
    return {ToDoubles(ctx, out), ToDoubles(ctx, lse), ToDoubles(ctx, dq), Half(dboth, 0),
            Half(dboth, 1)};
  }

 private:
  int64_t Width() const { return int64_t{problem_.heads} * problem_.head_dim; }
  // Normal values that bf16 holds exactly.
  std::vector<double> Draw(int64_t rows, double spread) {
    ++stream_;
    std::vector<double> values;
    for (int64_t i = 0; i < rows * Width(); ++i) {
      const double value = spread * NormalAt(seed_ + stream_, static_cast<uint64_t>(i));
      values.push_back(static_cast<float>(BFloat16(static_cast<float>(value))));
    }
    return values;
  }
  // Rows of both, as a layer's product of keys and values writes them.
  std::vector<double> SideBySide(const std::vector<double>& a, const std::vector<double>& b) const {
    std::vector<double> both;
    for (size_t at = 0; at < a.size(); at += static_cast<size_t>(Width())) {
      for (const auto* from : {&a, &b}) {
        const auto row = from->begin() + static_cast<int64_t>(at);
        both.insert(both.end(), row, row + Width());
      }
    }
    return both;
  }
  // The left or the right half of every row.
  std::vector<double> Half(const std::vector<double>& both, int64_t which) const {
    std::vector<double> half;
    for (auto row = both.begin(); row != both.end(); row += 2 * Width()) {
      half.insert(half.end(), row + which * Width(), row + (which + 1) * Width());
    }
    return half;
  }
  Tensor Make(Context& ctx, const std::vector<double>& values, DType dtype,
              int64_t matrices = 1) const {
    const int64_t columns = matrices * Width();
    Tensor tensor(ctx, {static_cast<int64_t>(values.size()) / columns, columns}, dtype);
    if (dtype == DType::kF64) {
      CopyFromHost(ctx, values.data(), tensor);
      return tensor;
    }
    std::vector<BFloat16> rounded;
    for (const double value : values) rounded.emplace_back(static_cast<float>(value));
    CopyFromHost(ctx, rounded.data(), tensor);
    return tensor;
  }
  static Tensor Unset(Context& ctx, const Shape& shape, DType dtype) {
    Tensor tensor(ctx, shape, dtype);
    Fill(ctx, std::numeric_limits<double>::quiet_NaN(), tensor);
    return tensor;
  }

  const Problem& problem_;
  uint64_t seed_, stream_ = 0;
  int32_t query_rows_ = 0, key_rows_ = 0;
  std::vector<int32_t> query_begin_, query_end_, key_begin_, key_end_;
  std::vector<uint64_t> token_keys_;
  std::vector<double> q_, k_, v_, dout_;
  AttentionSpec spec_;
};

void ExpectNear(const Results& found, const Results& expected) {
  const auto compare = [](const char* name, const std::vector<double>& a,
                          const std::vector<double>& b, double tolerance) {
    const double error = RelativeError(a, b);
    EXPECT_LE(error, tolerance) << name;
    std::printf("    %-4s %.1e\n", name, error);
  };
  compare("out", found.out, expected.out, kTolerance);
  compare("lse", found.lse, expected.lse, kLseTolerance);
  compare("dq", found.dq, expected.dq, kTolerance);
  compare("dk", found.dk, expected.dk, kTolerance);
  compare("dv", found.dv, expected.dv, kTolerance);
}

// Skips where the GPU or cuDNN is missing.
#define FROND_CUDNN_OR_SKIP(gpu, problem)                                               \
  FROND_GPU_OR_SKIP(gpu);                                                               \
  const absl::Status gpu##_cudnn =                                                      \
      CheckCudnnAttention(*gpu.ctx, DType::kBF16, (problem).heads, (problem).head_dim); \
  if (!gpu##_cudnn.ok()) GTEST_SKIP() << "NO CUDNN: not tested: " << gpu##_cudnn.message()

class CudnnCrossAttentionGpuTest : public ::testing::TestWithParam<Problem> {};

TEST_P(CudnnCrossAttentionGpuTest, AgreesWithF64OnTheCpuAndRepeatsItsBits) {
  FROND_CUDNN_OR_SKIP(gpu, GetParam());
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const CrossAttentionRun run(GetParam(), seed);
  CpuAllocator memory;
  Context cpu(memory);
  const Results found = run.Run(*gpu.ctx, DType::kBF16, AttentionEngine::kCudnn);
  ExpectNear(found, run.Run(cpu, DType::kF64, AttentionEngine::kFrond));
  EXPECT_TRUE(run.Run(*gpu.ctx, DType::kBF16, AttentionEngine::kCudnn) == found);
  // Rows that attend to nothing, or are attended by nothing, are zero to the bit.
  const AttentionGroups groups = GradientGroups(run.spec(), run.query_rows(), run.key_rows());
  const auto expect_zero = [](const std::vector<double>& values, const RowRange& rows,
                              int64_t rows_in_all) {
    const int64_t width = static_cast<int64_t>(values.size()) / rows_in_all;
    for (int64_t i = rows.begin * width; i < rows.end * width; ++i) {
      ASSERT_EQ(values[static_cast<size_t>(i)], 0) << "row " << i / width;
    }
  };
  for (const RowRange& rows : groups.idle_queries) {
    expect_zero(found.out, rows, run.query_rows());
    expect_zero(found.dq, rows, run.query_rows());
  }
  for (const RowRange& rows : groups.idle_keys) {
    expect_zero(found.dk, rows, run.key_rows());
    expect_zero(found.dv, rows, run.key_rows());
  }
}

std::vector<Problem> Problems() {
  const std::vector<std::pair<int32_t, int32_t>> ragged = {{40, 200}, {3, 7}, {100, 64}, {1, 1}},
                                                 empty = {{40, 200}, {0, 5}, {130, 129}, {2, 0},
                                                          {9, 70},   {0, 0}, {5, 0}};
  return {
      {.name = "ragged", .segments = ragged},
      {.name = "equal", .segments = {{128, 128}, {128, 128}}},
      {.name = "dropout", .segments = ragged, .dropout = 0.4f},
      {.name = "empty_segments", .segments = empty, .dropout = 0.1f},
      {.name = "heads_of_32", .segments = empty, .heads = 5, .head_dim = 32, .dropout = 0.1f},
      {.name = "heads_of_128", .segments = ragged, .heads = 2, .head_dim = 128, .dropout = 0.1f},
      {.name = "nothing", .segments = {{0, 4}, {3, 0}}},
  };
}
INSTANTIATE_TEST_SUITE_P(Problems, CudnnCrossAttentionGpuTest, ::testing::ValuesIn(Problems()),
                         [](const auto& info) { return info.param.name; });

// More scores than one batch may have: segments of a group do not lie side by side. Ours, which has
// been compared with the CPU, is what is fast enough to compare with.
TEST(CudnnCrossAttentionGroupsGpuTest, GroupsKeepOutOfEachOthersRows) {
  Problem problem = {.name = "groups", .heads = 64, .dropout = 0.1f};
  for (int i = 0; i < 24; ++i) {
    const bool is_long = i % 2 == 0;
    problem.segments.emplace_back(is_long ? 900 : 30, is_long ? 1000 : 50);
  }
  FROND_CUDNN_OR_SKIP(gpu, problem);
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const CrossAttentionRun run(problem, seed);
  EXPECT_GE(GradientGroups(run.spec(), run.query_rows(), run.key_rows()).groups.size(), 2u);
  ExpectNear(run.Run(*gpu.ctx, DType::kBF16, AttentionEngine::kCudnn),
             run.Run(*gpu.ctx, DType::kBF16, AttentionEngine::kFrond));
}

}  // namespace
}  // namespace frond::testing
