// HeadLoss over a split vocabulary against the whole one.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "core/base/philox.h"
#include "core/ops/elementwise.h"
#include "core/ops/head_loss.h"
#include "core/tensor/meta_allocator.h"
#include "core/tensor/transfer.h"
#include "tests/core/ops/op_runner.h"
#include "tests/core/ops/vocabulary_parts.h"

namespace frond::testing {
namespace {

constexpr int64_t kVocabulary = 1000, kTokens = 29, kDim = 24;
constexpr double kF64Tolerance = 1e-12, kF32Tolerance = 1e-5;
// Products of gradients that are rounded to bf16, as is each part's share of dhidden.
constexpr double kBF16GradientTolerance = 4e-3;

// 1, 2 and 4 parts, even and not.
const std::vector<std::vector<int64_t>> kSplits = {
    {1000}, {500, 500}, {999, 1}, {250, 250, 250, 250}, {37, 400, 3, 560}};

struct Problem {
  std::vector<double> hidden, weight;
  std::vector<int32_t> targets;
  std::vector<double> token_weights;
  HeadLossSpec spec = {.hidden_scale = 0.25, .z_loss = 0.01, .max_logits_bytes = 30000};
};

struct Results {
  std::vector<double> nll, log_z, dhidden, dweight;
};

Tensor Make(Context& ctx, const std::vector<double>& values, int64_t columns, DType dtype) {
  Tensor x(ctx, {std::ssize(values) / columns, columns}, dtype);
  VisitFloatType(dtype, [&](auto type) {
    using T = decltype(type);
    std::vector<T> rounded;
    for (const double value : values) rounded.push_back(T(static_cast<Accumulator<T>>(value)));
    CopyFromHost(ctx, rounded.data(), x);
  });
  return x;
}

// One call on the weight's rows [begin, end).
Results RunRows(const Problem& problem, DType compute, const HeadLossSpec& spec, int64_t begin,
                int64_t end) {
  CpuAllocator memory;
  Context ctx(memory);
  const DType wide = compute == DType::kF64 ? DType::kF64 : DType::kF32;
  const std::vector<double> weight_rows(problem.weight.begin() + begin * kDim,
                                        problem.weight.begin() + end * kDim);
  // The master holds values of the compute dtype, so that the products' operand is the same.
  const Tensor hidden = Make(ctx, problem.hidden, kDim, compute);
  const Tensor weight =
      Make(ctx, ToDoubles(ctx, Make(ctx, weight_rows, kDim, compute)), kDim, wide);
  Tensor nll(ctx, {kTokens}, wide), log_z(ctx, {kTokens}, wide);
  Tensor dhidden(ctx, {kTokens, kDim}, compute);
  Tensor dweight = Make(ctx, std::vector<double>((end - begin) * kDim, 0.0), kDim, wide);
  HeadLoss(ctx, hidden, {.value = weight}, problem.targets, problem.token_weights, spec, nll.view(),
           log_z.view(), dhidden.view(), dweight.view());
  return {ToDoubles(ctx, nll), ToDoubles(ctx, log_z), ToDoubles(ctx, dhidden),
          ToDoubles(ctx, dweight)};
}

// Joins the parts' results; nll and log_z must be the same in each.
Results RunSplit(const Problem& problem, DType compute, const std::vector<int64_t>& split) {
  Results joined;
  RunParts(split, [&](const HeadLossParts& parts, int64_t rows, bool is_final) {
    HeadLossSpec spec = problem.spec;
    spec.parts = parts;
    const int64_t begin = parts.part.first_id;
    const Results part = RunRows(problem, compute, spec, begin, begin + rows);
    if (!is_final) return;
    if (begin == 0) {
      joined = part;
      return;
    }
    EXPECT_EQ(part.nll, joined.nll);
    EXPECT_EQ(part.log_z, joined.log_z);
    for (size_t i = 0; i < part.dhidden.size(); ++i) joined.dhidden[i] += part.dhidden[i];
    joined.dweight.insert(joined.dweight.end(), part.dweight.begin(), part.dweight.end());
  });
  return joined;
}

void ExpectPartsEqualTheWhole(const Problem& problem, const std::string& what) {
  for (const DType compute : {DType::kF64, DType::kF32, DType::kBF16}) {
    const double tolerance = compute == DType::kF64 ? kF64Tolerance : kF32Tolerance;
    const double of_gradients = compute == DType::kBF16 ? kBF16GradientTolerance : tolerance;
    const Results whole = RunRows(problem, compute, problem.spec, 0, kVocabulary);
    for (const std::vector<int64_t>& split : kSplits) {
      const Results parts = RunSplit(problem, compute, split);
      const std::string where = std::string(DTypeName(compute)) + " in " +
                                std::to_string(split.size()) + " parts from " +
                                std::to_string(split.front()) + ", " + what;
      EXPECT_LE(RelativeError(parts.nll, whole.nll), tolerance) << where;
      EXPECT_LE(RelativeError(parts.log_z, whole.log_z), tolerance) << where;
      EXPECT_LE(RelativeError(parts.dhidden, whole.dhidden), of_gradients) << where;
      EXPECT_LE(RelativeError(parts.dweight, whole.dweight), of_gradients) << where;
    }
  }
}

Problem Draw(uint64_t seed) {
  Problem problem;
  for (uint64_t i = 0; i < kTokens * kDim; ++i) {
    problem.hidden.push_back(NormalAt(MixBits(seed), i));
  }
  for (uint64_t i = 0; i < kVocabulary * kDim; ++i) {
    problem.weight.push_back(NormalAt(MixBits(seed + 1), i));
  }
  for (uint64_t t = 0; t < kTokens; ++t) {
    const double u = UniformAt(MixBits(seed + 2), t);
    problem.targets.push_back(static_cast<int32_t>(u * kVocabulary));
    problem.token_weights.push_back(t % 5 == 3 ? 0.0 : 0.5 + u);  // every fifth token is out
  }
  return problem;
}

TEST(HeadLossPartsTest, PartsEqualTheWhole) {
  const uint64_t seed = std::random_device{}();
  ExpectPartsEqualTheWhole(Draw(seed), "seed " + std::to_string(seed));
}

TEST(HeadLossPartsTest, ExtremeLogits) {
  // Logits of 9984, -9984 and few between them, all without rounding: a part's largest logit may
  // lie 20000 below another's, and so may a target.
  const uint64_t seed = std::random_device{}();
  Problem problem = Draw(seed);
  for (int64_t i = 0; i < kTokens * kDim; ++i) problem.hidden[i] = i % kDim == i / kDim % kDim;
  for (int64_t i = 0; i < kVocabulary * kDim; ++i) {
    const double u = UniformAt(MixBits(seed + 3), i);
    problem.weight[i] = u < 0.004 ? 4 * 9984 : u < 0.9 ? -4 * 9984 : std::floor(8 * u);
  }
  ExpectPartsEqualTheWhole(problem, "seed " + std::to_string(seed));
}

TEST(HeadLossPartsTest, ATokenThatIsOutHasNoGradientWhateverItsLogits) {
  Problem problem = Draw(1);
  problem.token_weights.assign(kTokens, 0.0);
  for (double& x : problem.weight) x *= 1e30;
  const Results parts = RunSplit(problem, DType::kF32, {600, 400});
  EXPECT_EQ(parts.dhidden, std::vector<double>(kTokens * kDim, 0.0));
  EXPECT_EQ(parts.dweight, std::vector<double>(kVocabulary * kDim, 0.0));
}

// The shapes that `gather` is given for a part of `rows` rows.
std::vector<Shape> Gathered(Context& ctx, int64_t rows, const Problem& problem) {
  std::vector<Shape> shapes;
  HeadLossSpec spec = problem.spec;
  spec.parts = {.part = {.first_id = 0, .vocabulary = kVocabulary},
                .count = 3,
                .gather = [&](Context&, ConstView own, View all) {
                  shapes.insert(shapes.end(), {own.shape, all.shape});
                }};
  Tensor hidden(ctx, {kTokens, kDim}, DType::kBF16), weight(ctx, {rows, kDim}, DType::kF32);
  Tensor dhidden(ctx, {kTokens, kDim}, DType::kBF16), dweight(ctx, {rows, kDim}, DType::kF32);
  Tensor nll(ctx, {kTokens}, DType::kF32), log_z(ctx, {kTokens}, DType::kF32);
  for (Tensor* x : {&hidden, &weight, &dweight}) Fill(ctx, 0, x->view());
  HeadLoss(ctx, hidden, {.value = weight}, problem.targets, problem.token_weights, spec, nll.view(),
           log_z.view(), dhidden.view(), dweight.view());
  return shapes;
}

TEST(HeadLossPartsTest, EveryRankGathersAsOftenAlsoWhereNothingIsComputed) {
  const Problem problem = Draw(1);
  CpuAllocator memory;
  MetaAllocator rehearsal(Device::kCpu);
  Context ctx(memory), meta(rehearsal);
  const std::vector<Shape> shapes = Gathered(ctx, 600, problem);
  EXPECT_GT(shapes.size(), 4u);
  EXPECT_EQ(Gathered(ctx, 100, problem), shapes);
  EXPECT_EQ(Gathered(meta, 600, problem), shapes);
  EXPECT_EQ(Gathered(meta, 100, problem), shapes);
}

TEST(HeadLossPartsDeathTest, ChecksThatPartsAreJoined) {
  const Problem problem = Draw(1);
  HeadLossSpec spec = problem.spec;
  spec.parts = {.part = {.first_id = 0, .vocabulary = kVocabulary}, .count = 2};
  EXPECT_DEATH(RunRows(problem, DType::kF32, spec, 0, 600), "nothing joins 2 parts");
  spec.parts.count = 1;
  EXPECT_DEATH(RunRows(problem, DType::kF32, spec, 0, 600), "parts: 1");
  spec.parts = {.part = {.first_id = 0, .vocabulary = 700}, .count = 2};
  EXPECT_DEATH(RunRows(problem, DType::kF32, spec, 0, 701), "701 rows from id 0 of 700");
}

}  // namespace
}  // namespace frond::testing
