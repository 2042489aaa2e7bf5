// The softmax cross-entropy kernel at the size of a large vocabulary and where it is
// ill-conditioned.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "core/base/philox.h"
#include "core/ops/cpu/softmax_loss.h"
#include "core/ops/cuda/softmax_loss.h"
#include "core/tensor/transfer.h"
#include "tests/core/ops/op_runner.h"
#include "tests/gpu/gpu_fixture.h"

namespace frond::testing {
namespace {

struct Rows {
  std::vector<double> logits;
  std::vector<int32_t> targets;
  std::vector<double> weights;
  double scale = 1, z_loss = 0;

  SoftmaxLossRows spec() const {
    return {.targets = targets, .weights = weights, .scale = scale, .z_loss = z_loss};
  }
  int64_t count() const { return std::ssize(targets); }
  int64_t vocabulary() const { return std::ssize(logits) / count(); }
};

struct Results {
  std::vector<double> nll, log_z, gradient;
};

template <class Op>
Results LossOf(Context& ctx, const Rows& rows, DType wide, DType gradient_type, Op op) {
  const Shape shape = {rows.count(), rows.vocabulary()};
  Tensor logits(ctx, shape, wide), nll(ctx, {rows.count()}, wide), log_z(ctx, {rows.count()}, wide);
  if (wide == DType::kF64) {
    CopyFromHost(ctx, rows.logits.data(), logits);
  } else {
    const std::vector<float> rounded(rows.logits.begin(), rows.logits.end());
    CopyFromHost(ctx, rounded.data(), logits);
  }
  Tensor own;
  if (gradient_type != wide) own = Tensor(ctx, shape, gradient_type);
  const View gradient = own.empty() ? logits.view() : own.view();
  op(ctx, logits.view(), rows.spec(), nll.view(), log_z.view(), gradient);
  return {ToDoubles(ctx, nll), ToDoubles(ctx, log_z), ToDoubles(ctx, gradient)};
}

Results ExactLossOf(const Rows& rows) {
  CpuAllocator memory;
  Context ctx(memory);
  return LossOf(ctx, rows, DType::kF64, DType::kF64, cpu::SoftmaxLoss);
}

void ExpectNear(const Results& ours, const Results& exact, DType gradient,
                const std::string& what) {
  EXPECT_LE(RelativeError(ours.nll, exact.nll), 1e-6) << what;
  EXPECT_LE(RelativeError(ours.log_z, exact.log_z), 5e-7) << what;
  EXPECT_LE(RelativeError(ours.gradient, exact.gradient), gradient == DType::kBF16 ? 4e-3 : 2e-6)
      << what << " in " << DTypeName(gradient);
}

void Compare(Context& ctx, const Rows& rows, const std::string& what) {
  const Results exact = ExactLossOf(rows);
  for (const DType gradient : {DType::kF32, DType::kBF16}) {
    ExpectNear(LossOf(ctx, rows, DType::kF32, gradient, cuda::SoftmaxLoss), exact, gradient, what);
  }
}

Rows Draw(int64_t count, int64_t vocabulary, double spread, uint64_t seed) {
  Rows rows;
  for (int64_t i = 0; i < count * vocabulary; ++i) {
    rows.logits.push_back(static_cast<float>(spread * NormalAt(seed, static_cast<uint64_t>(i))));
  }
  for (int64_t r = 0; r < count; ++r) {
    const double u = UniformAt(seed, static_cast<uint64_t>(r));
    rows.targets.push_back(static_cast<int32_t>(u * static_cast<double>(vocabulary)));
    rows.weights.push_back(0.1 + u);
  }
  return rows;
}

TEST(SoftmaxLossGpuTest, ReadsTheRowsOfALargeVocabulary) {
  FROND_GPU_OR_SKIP(gpu);
  const uint64_t seed = std::random_device{}();
  Rows rows = Draw(2, 250112, 4, seed);
  rows.z_loss = 1e-4;
  rows.scale = 0.25;
  Compare(*gpu.ctx, rows, "seed " + std::to_string(seed));
  Compare(*gpu.ctx, Draw(2, 250101, 4, seed), "odd rows, seed " + std::to_string(seed));
}

// Columns [begin, end), as the rank of that part has them.
Rows PartOf(const Rows& rows, int64_t begin, int64_t end) {
  Rows part = rows;
  part.logits.clear();
  for (int64_t r = 0; r < rows.count(); ++r) {
    const auto row = rows.logits.begin() + r * rows.vocabulary();
    part.logits.insert(part.logits.end(), row + begin, row + end);
    int32_t& target = part.targets[static_cast<size_t>(r)];
    target = target >= begin && target < end ? target - static_cast<int32_t>(begin) : -1;
  }
  return part;
}

// The loss from columns that are split before each of `cuts`; the gradient is joined.
Results LossOfParts(Context& ctx, const Rows& rows, std::vector<int64_t> cuts, DType gradient) {
  cuts.insert(cuts.begin(), 0);
  cuts.push_back(rows.vocabulary());
  const int64_t count = rows.count(), num_parts = std::ssize(cuts) - 1;
  Tensor all(ctx, {num_parts * count, kSoftmaxStatistics}, DType::kF32);
  Results joined;
  joined.gradient.resize(rows.logits.size());
  // First every part's statistics, each at its rows of `all`, then the results.
  for (const bool is_final : {false, true}) {
    for (int64_t p = 0; p < num_parts; ++p) {
      const Rows part = PartOf(rows, cuts[p], cuts[p + 1]);
      const View own = frond::Rows(all.view(), p * count, (p + 1) * count);
      const auto op = [&](Context&, View logits, const SoftmaxLossRows& spec, View nll, View log_z,
                          View dlogits) {
        cuda::PartStatistics(ctx, logits, spec, own);
        if (is_final) cuda::PartLoss(ctx, logits, spec, own, all, nll, log_z, dlogits);
      };
      const Results results = LossOf(ctx, part, DType::kF32, gradient, op);
      if (!is_final) continue;
      if (p > 0) {
        EXPECT_EQ(results.nll, joined.nll);
        EXPECT_EQ(results.log_z, joined.log_z);
      }
      joined.nll = results.nll;
      joined.log_z = results.log_z;
      for (int64_t i = 0; i < std::ssize(results.gradient); ++i) {
        const int64_t row = i / part.vocabulary(), column = cuts[p] + i % part.vocabulary();
        joined.gradient[row * rows.vocabulary() + column] = results.gradient[i];
      }
    }
  }
  return joined;
}

TEST(SoftmaxLossGpuTest, PartsOfARowGiveTheWholeRows) {
  FROND_GPU_OR_SKIP(gpu);
  const uint64_t seed = std::random_device{}();
  Rows rows = Draw(6, 1000, 3, seed);
  rows.scale = 0.5;
  rows.z_loss = 1e-3;
  rows.weights[4] = 0;
  // Parts and targets far below the largest logit, and far above: logits that f32 has exactly.
  for (size_t i = 0; i < 1000; ++i) {
    rows.logits[i] = i < 500 ? 10000 : -10000;
    rows.logits[1000 + i] = i % 2 == 0 ? -20000 : static_cast<double>(i);
    rows.logits[2000 + i] = static_cast<float>(rows.logits[2000 + i] - 20000);
  }
  rows.targets[0] = 700;
  const Results exact = ExactLossOf(rows);
  for (const std::vector<int64_t>& cuts :
       std::vector<std::vector<int64_t>>{{500}, {1}, {250, 500, 750}, {3, 501, 996}}) {
    for (const DType gradient : {DType::kF32, DType::kBF16}) {
      ExpectNear(LossOfParts(*gpu.ctx, rows, cuts, gradient), exact, gradient,
                 "cut at " + std::to_string(cuts[0]) + ", seed " + std::to_string(seed));
    }
  }
}

TEST(SoftmaxLossGpuTest, KeepsTheLossOfSureTokens) {
  FROND_GPU_OR_SKIP(gpu);
  const uint64_t seed = std::random_device{}();
  // Large logits, and a target far above the rest: its loss is some 1000 e^-20, of which rounding
  // beside e^0 leaves a third at worst. The difference of log Z = 80 and the logit would be 0 or
  // 8e-6.
  Rows rows = Draw(3, 1000, 1, seed);
  for (size_t r = 0; r < 3; ++r) {
    for (size_t i = 0; i < 1000; ++i) rows.logits[r * 1000 + i] += 60;
    rows.logits[r * 1000 + static_cast<size_t>(rows.targets[r])] = 80;
  }
  const Results exact = ExactLossOf(rows);
  const Results ours = LossOf(*gpu.ctx, rows, DType::kF32, DType::kF32, cuda::SoftmaxLoss);
  for (size_t r = 0; r < 3; ++r) {
    EXPECT_NEAR(ours.nll[r], exact.nll[r], 1e-6) << "seed " << seed;
    EXPECT_NEAR(ours.log_z[r], exact.log_z[r], 1e-5) << "seed " << seed;
  }
}

TEST(SoftmaxLossGpuTest, TokensThatAreOutHaveNoGradientAndOthersShowNan) {
  FROND_GPU_OR_SKIP(gpu);
  Rows rows = Draw(2, 100, 1, 7);
  rows.logits[3] = rows.logits[103] = std::numeric_limits<double>::quiet_NaN();
  rows.weights[0] = 0;
  for (const DType gradient : {DType::kF32, DType::kBF16}) {
    const Results ours = LossOf(*gpu.ctx, rows, DType::kF32, gradient, cuda::SoftmaxLoss);
    for (size_t i = 0; i < 100; ++i) ASSERT_EQ(ours.gradient[i], 0) << i;
    EXPECT_TRUE(std::isnan(ours.nll[0]) && std::isnan(ours.nll[1]));
    EXPECT_TRUE(std::isnan(ours.gradient[150]));
  }
}

}  // namespace
}  // namespace frond::testing
