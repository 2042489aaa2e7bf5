// What must not change a model's numbers: packing, the order of examples in a batch, micro-batches
// and recomputation, with and without dropout.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "tests/models/t5/t5_fixture.h"

namespace frond {
namespace {

// The chosen examples of a batch, in the given order.
Batch Select(const Batch& all, const std::vector<int64_t>& examples) {
  Batch batch;
  for (const int64_t e : examples) {
    const auto source = all.source_ids.begin(), target = all.target_ids.begin();
    batch.source_ids.insert(batch.source_ids.end(), source + all.source_offsets[e],
                            source + all.source_offsets[e + 1]);
    batch.target_ids.insert(batch.target_ids.end(), target + all.target_offsets[e],
                            target + all.target_offsets[e + 1]);
    batch.source_offsets.push_back(static_cast<int32_t>(batch.source_ids.size()));
    batch.target_offsets.push_back(static_cast<int32_t>(batch.target_ids.size()));
    batch.example_keys.push_back(all.example_keys[e]);
  }
  return batch;
}

// Gradients of all micro-batches together, PER_EXAMPLE over all examples.
struct Gradients {
  MapSink sink;
  double loss = 0;
};

void Accumulate(T5Fixture& fixture, T5Model& model, const Batch& batch, float dropout,
                Gradients& out) {
  std::vector<double> weights;
  const auto examples = static_cast<double>(fixture.batch.num_examples());
  for (int64_t e = 0; e < batch.num_examples(); ++e) {
    const int32_t length = batch.target_offsets[e + 1] - batch.target_offsets[e];
    weights.insert(weights.end(), length, 1 / (length * examples));
  }
  fixture.ctx.rng = {.seed = 7, .step = 3};
  const TokenLosses losses = model.ForwardBackward(
      fixture.ctx, batch, {.token_weights = weights, .z_loss = 1e-4, .dropout = dropout}, out.sink);
  for (size_t t = 0; t < weights.size(); ++t) {
    out.loss += weights[t] * (losses.nll[t] + 1e-4 * losses.log_z[t] * losses.log_z[t]);
  }
}

void ExpectEqualToRounding(const T5Model& model, const Gradients& a, const Gradients& b) {
  EXPECT_NEAR(a.loss, b.loss, 1e-12 * b.loss);
  for (const auto& param : model.params().params()) {
    EXPECT_LE(RelativeError(Values(a.sink.Of(*param)), Values(b.sink.Of(*param))), 1e-11)
        << param->name;
  }
}

class T5InvarianceTest : public testing::TestWithParam<float> {
 protected:
  T5Fixture fixture_{"mt5"};
  std::vector<int64_t> All() const {
    std::vector<int64_t> all(static_cast<size_t>(fixture_.batch.num_examples()));
    std::iota(all.begin(), all.end(), int64_t{0});
    return all;
  }
};

TEST_P(T5InvarianceTest, MicroBatchesAndOrder) {
  const auto model = fixture_.Load({.compute = DType::kF64});
  Gradients packed, alone, shuffled;
  Accumulate(fixture_, *model, fixture_.batch, GetParam(), packed);
  for (const int64_t e : All()) {
    Accumulate(fixture_, *model, Select(fixture_.batch, {e}), GetParam(), alone);
  }
  ExpectEqualToRounding(*model, alone, packed);
  std::vector<int64_t> order = All();
  std::rotate(order.begin(), order.begin() + 3, order.end());
  std::swap(order[0], order[5]);
  Accumulate(fixture_, *model, Select(fixture_.batch, {order.begin(), order.begin() + 4}),
             GetParam(), shuffled);
  Accumulate(fixture_, *model, Select(fixture_.batch, {order.begin() + 4, order.end()}), GetParam(),
             shuffled);
  ExpectEqualToRounding(*model, shuffled, packed);
}

TEST_P(T5InvarianceTest, RecomputationRepeatsEveryBit) {
  for (const auto& [compute, f32_activations] :
       {std::pair{DType::kF32, false}, {DType::kBF16, false}, {DType::kBF16, true}}) {
    const auto kept = fixture_.Load({.compute = compute, .f32_activations = f32_activations});
    Gradients a;
    Accumulate(fixture_, *kept, fixture_.batch, GetParam(), a);
    for (const RecomputeMode mode : {RecomputeMode::kSelective, RecomputeMode::kBlock}) {
      const auto recomputed = fixture_.Load(
          {.compute = compute, .f32_activations = f32_activations, .recompute = {mode}});
      Gradients b;
      Accumulate(fixture_, *recomputed, fixture_.batch, GetParam(), b);
      EXPECT_EQ(a.loss, b.loss);
      for (const auto& param : kept->params().params()) {
        const ConstView x = a.sink.Of(*param),
                        y = b.sink.Of(*recomputed->params().params()[param->index]);
        EXPECT_EQ(std::memcmp(x.data, y.data, x.bytes()), 0)
            << param->name << ", mode " << static_cast<int>(mode);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Dropout, T5InvarianceTest, testing::Values(0.0f, 0.1f),
                         [](const auto& info) { return info.param > 0 ? "on" : "off"; });

// Dropout changes with the step and the seed, and leaves the expectation where it was.
TEST(T5DropoutTest, DrawsByStep) {
  T5Fixture fixture("mt5");
  const auto model = fixture.Load({.compute = DType::kF32});
  const std::vector<double> weights = fixture.PerExampleWeights();
  const auto loss_at = [&](uint64_t step, float rate) {
    MapSink sink;
    fixture.ctx.rng = {.seed = 1, .step = step};
    const TokenLosses losses = model->ForwardBackward(
        fixture.ctx, fixture.batch, {.token_weights = weights, .dropout = rate}, sink);
    return std::inner_product(weights.begin(), weights.end(), losses.nll.begin(), 0.0);
  };
  EXPECT_EQ(loss_at(1, 0.1f), loss_at(1, 0.1f));
  EXPECT_NE(loss_at(1, 0.1f), loss_at(2, 0.1f));
  EXPECT_NE(loss_at(1, 0.1f), loss_at(1, 0));
}

}  // namespace
}  // namespace frond
