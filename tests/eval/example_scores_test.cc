// Scores of examples against their definitions, written out over whole logits in f64.
#include "eval/example_scores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/models/t5/t5_fixture.h"

namespace frond {
namespace {

constexpr double kF64Tolerance = 1e-12;
constexpr double kF32Tolerance = 2e-5;  // of logits near 1 from sums of 64 products

// |p - onehot|_2 and -log p of one token.
ExampleScore Reference(const double* logits, int64_t vocabulary, int32_t target) {
  double z = 0;
  for (int64_t v = 0; v < vocabulary; ++v) z += std::exp(logits[v]);
  double squares = 0;
  for (int64_t v = 0; v < vocabulary; ++v) {
    const double error = std::exp(logits[v]) / z - (v == target ? 1 : 0);
    squares += error * error;
  }
  return {.loss = std::log(z) - logits[target], .el2n = std::sqrt(squares)};
}

class ExampleScoresTest : public testing::TestWithParam<DType> {};

TEST_P(ExampleScoresTest, AreMeansOverTheTokensOfEachExample) {
  T5Fixture fixture("mt5");
  const Batch& batch = fixture.batch;
  const auto exact = fixture.Load({.compute = DType::kF64});
  const std::vector<double> logits = Values(exact->Logits(fixture.ctx, batch));
  const auto model = fixture.Load({.compute = GetParam()});
  const std::vector<ExampleScore> scores = ScoreExamples(fixture.ctx, *model, batch);
  const double tolerance = GetParam() == DType::kF64 ? kF64Tolerance : kF32Tolerance;
  const int64_t vocabulary = exact->config().vocab_size;
  ASSERT_EQ(static_cast<int64_t>(scores.size()), batch.num_examples());
  ASSERT_GT(scores.size(), 1u);
  for (size_t i = 0; i < scores.size(); ++i) {
    ExampleScore sum;
    const int32_t begin = batch.target_offsets[i], end = batch.target_offsets[i + 1];
    for (int32_t t = begin; t < end; ++t) {
      const ExampleScore token =
          Reference(&logits[static_cast<size_t>(t * vocabulary)], vocabulary, batch.target_ids[t]);
      sum.loss += token.loss;
      sum.el2n += token.el2n;
    }
    EXPECT_NEAR(scores[i].loss, sum.loss / (end - begin), tolerance);
    EXPECT_NEAR(scores[i].el2n, sum.el2n / (end - begin), tolerance);
  }
}

TEST_P(ExampleScoresTest, DoNotDependOnTheBatch) {
  T5Fixture fixture("mt5");
  const Batch& batch = fixture.batch;
  const auto model = fixture.Load({.compute = GetParam()});
  const std::vector<ExampleScore> scores = ScoreExamples(fixture.ctx, *model, batch);
  const double tolerance = GetParam() == DType::kF64 ? kF64Tolerance : kF32Tolerance;
  for (size_t i = 0; i < scores.size(); ++i) {
    Batch alone;
    const auto copy = [&](const auto& ids, const auto& offsets, auto& into) {
      into.assign(ids.begin() + offsets[i], ids.begin() + offsets[i + 1]);
      return static_cast<int32_t>(into.size());
    };
    alone.source_offsets.push_back(copy(batch.source_ids, batch.source_offsets, alone.source_ids));
    alone.target_offsets.push_back(copy(batch.target_ids, batch.target_offsets, alone.target_ids));
    const std::vector<ExampleScore> score = ScoreExamples(fixture.ctx, *model, alone);
    ASSERT_EQ(score.size(), 1u);
    EXPECT_NEAR(score[0].loss, scores[i].loss, tolerance);
    EXPECT_NEAR(score[0].el2n, scores[i].el2n, tolerance);
  }
}

INSTANTIATE_TEST_SUITE_P(DTypes, ExampleScoresTest, testing::Values(DType::kF64, DType::kF32));

}  // namespace
}  // namespace frond
