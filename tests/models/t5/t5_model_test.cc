// What holds for any batch: decoder inputs, the softmax over the whole table, the shortest
// examples.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/models/t5/t5_fixture.h"

namespace frond {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::ResultOf;

TEST(ShiftRightTest, RestartsAtEveryExample) {
  Batch batch;
  batch.target_ids = {7, 8, 1, 9, 1, 1};
  batch.target_offsets = {0, 3, 5, 6};
  batch.source_offsets = {0, 0, 0, 0};
  EXPECT_THAT(ShiftRight(batch, 0), ElementsAre(0, 7, 8, 0, 9, 0));
}

double LogSumExp(const double* x, int64_t n) {
  const double most = *std::max_element(x, x + n);
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += std::exp(x[i] - most);
  return most + std::log(sum);
}

// Rows of the table that no piece of the tokenizer stands for count as any other, also in the
// z-loss, whose gradient they share.
TEST(T5ModelTest, TheSoftmaxIsOverTheWholeTable) {
  T5Fixture fixture("mt5");
  const auto model = fixture.Load({.compute = DType::kF64});
  const int64_t vocab = model->config().vocab_size;
  const std::vector<double> logits = Values(model->Logits(fixture.ctx, fixture.batch));
  const TokenLosses losses = model->Evaluate(fixture.ctx, fixture.batch);
  for (size_t t = 0; t < losses.log_z.size(); ++t) {
    const double* row = logits.data() + static_cast<int64_t>(t) * vocab;
    EXPECT_NEAR(losses.log_z[t], LogSumExp(row, vocab), 1e-12);
    EXPECT_GT(losses.log_z[t] - LogSumExp(row, vocab - 1), 1e-9) << "the last row has no weight";
    EXPECT_NEAR(losses.nll[t], losses.log_z[t] - row[fixture.batch.target_ids[t]], 1e-12);
  }
}

// An empty prompt, and a target that was cut to its end of sequence.
TEST(T5ModelTest, ExamplesOfOneToken) {
  T5Fixture fixture("mt5");
  const auto model = fixture.Load({.compute = DType::kF32});
  const int32_t eos = model->config().eos_token_id;
  Batch batch;
  batch.source_ids = {eos, 5, eos, eos};
  batch.source_offsets = {0, 1, 3, 4};
  batch.target_ids = {eos, eos, 6, eos};
  batch.target_offsets = {0, 1, 2, 4};
  batch.example_keys = {0, 1, 2};
  MapSink sink;
  const std::vector<double> weights(4, 0.25);
  const TokenLosses losses = model->ForwardBackward(
      fixture.ctx, batch, {.token_weights = weights, .z_loss = 1e-4, .dropout = 0.1f}, sink);
  const auto is_finite = [](double x) { return std::isfinite(x); };
  EXPECT_THAT(losses.nll, Each(ResultOf(is_finite, true)));
  for (const auto& param : model->params().params()) {
    EXPECT_THAT(Values(sink.Of(*param)), Each(ResultOf(is_finite, true))) << param->name;
  }
}

}  // namespace
}  // namespace frond
