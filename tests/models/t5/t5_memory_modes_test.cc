// Recomputation, token chunks and sinks that change a weight as soon as its gradient is complete:
// the same gradients, less memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <random>

#include "tests/models/t5/t5_fixture.h"

namespace frond {
namespace {

// Sums of the same f64 products in another order; measured 2e-15.
constexpr double kRounding = 1e-12;

const RecomputePlan kPlans[] = {{RecomputeMode::kNone},
                                {RecomputeMode::kSelective},
                                {RecomputeMode::kBlock},
                                {RecomputeMode::kBlock, 16}};

std::vector<double> PerExampleWeights(const Batch& batch) {
  std::vector<double> weights;
  const auto examples = static_cast<double>(batch.num_examples());
  for (int64_t e = 0; e < batch.num_examples(); ++e) {
    const int32_t length = batch.target_offsets[e + 1] - batch.target_offsets[e];
    weights.insert(weights.end(), length, 1 / (length * examples));
  }
  return weights;
}

TokenLosses Pass(Context& ctx, T5Model& model, const Batch& batch, float dropout, GradSink& sink) {
  ctx.rng = {.seed = 7, .step = 3};
  const std::vector<double> weights = PerExampleWeights(batch);
  return model.ForwardBackward(
      ctx, batch, {.token_weights = weights, .z_loss = 1e-4, .dropout = dropout}, sink);
}

class MemoryModesTest : public testing::TestWithParam<const char*> {
 protected:
  T5Fixture fixture_{GetParam()};
};

TEST_P(MemoryModesTest, ChunksChangeGradientsByRoundingOnly) {
  for (const float dropout : {0.0f, 0.1f}) {
    MapSink whole;
    const auto model = fixture_.Load({.compute = DType::kF64});
    const TokenLosses expected = Pass(fixture_.ctx, *model, fixture_.batch, dropout, whole);
    for (const int64_t tokens : {1, 20, 40, 1000}) {
      const auto chunked =
          fixture_.Load({.compute = DType::kF64, .recompute = {RecomputeMode::kBlock, tokens}});
      MapSink sink;
      const TokenLosses losses = Pass(fixture_.ctx, *chunked, fixture_.batch, dropout, sink);
      EXPECT_LE(RelativeError(losses.nll, expected.nll), kRounding);
      EXPECT_LE(RelativeError(losses.log_z, expected.log_z), kRounding);
      for (const auto& param : model->params().params()) {
        EXPECT_LE(RelativeError(Values(sink.Of(*param)), Values(whole.Of(*param))), kRounding)
            << param->name << ", chunks of " << tokens << " tokens, dropout " << dropout;
      }
    }
  }
}

// What a sink sees: who is closed in which order.
class RecordingSink : public MapSink {
 public:
  View Open(Context& ctx, Param& param) override {
    EXPECT_THAT(closed, testing::Not(testing::Contains(param.name))) << "opened after its end";
    return MapSink::Open(ctx, param);
  }
  void Close(Context&, Param& param) override { closed.push_back(param.name); }
  std::vector<std::string> closed;
};

TEST_P(MemoryModesTest, EveryPassClosesEveryParameterOnceInTheSameOrder) {
  std::vector<std::string> first;
  for (const RecomputePlan& plan : kPlans) {
    const auto model = fixture_.Load({.compute = DType::kF32, .recompute = plan});
    RecordingSink full, empty;
    Pass(fixture_.ctx, *model, fixture_.batch, 0, full);
    Pass(fixture_.ctx, *model, Batch(), 0, empty);
    EXPECT_EQ(full.closed, empty.closed) << "a pass without examples";
    if (first.empty()) first = full.closed;
    EXPECT_EQ(full.closed, first);
    std::vector<std::string> all;
    for (const auto& param : model->params().params()) all.push_back(param->name);
    EXPECT_THAT(full.closed, testing::UnorderedElementsAreArray(all));
  }
}

// Spoils every parameter when it is closed, packed forms too.
class SpoilingSink : public MapSink {
 public:
  void Close(Context&, Param& param) override {
    double* value = param.value.As<double>();
    std::fill_n(value, param.value.shape().num_elements(),
                std::numeric_limits<double>::quiet_NaN());
  }
};

TEST_P(MemoryModesTest, NoParameterIsReadAfterItIsClosed) {
  for (const RecomputePlan& plan : kPlans) {
    // Products in f64 read the masters themselves.
    const T5Options options = {.compute = DType::kF64, .recompute = plan};
    const auto model = fixture_.Load(options), spoiled = fixture_.Load(options);
    MapSink expected;
    SpoilingSink sink;
    Pass(fixture_.ctx, *model, fixture_.batch, 0.1f, expected);
    Pass(fixture_.ctx, *spoiled, fixture_.batch, 0.1f, sink);
    for (const auto& param : model->params().params()) {
      const ConstView x = sink.Of(*param), y = expected.Of(*param);
      EXPECT_EQ(std::memcmp(x.data, y.data, x.bytes()), 0) << param->name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, MemoryModesTest, testing::Values("mt5", "t5_v1_1", "t5_v1_1_tied"),
                         [](const auto& info) { return std::string(info.param); });

// 16 examples of 40 source and 24 target tokens.
Batch ManyTokens() {
  constexpr int kExamples = 16, kSource = 40, kTarget = 24;
  std::mt19937 random(1);
  Batch batch;
  for (int e = 0; e < kExamples; ++e) {
    for (int t = 0; t < kSource; ++t) batch.source_ids.push_back(2 + random() % 60);
    for (int t = 0; t < kTarget; ++t) batch.target_ids.push_back(2 + random() % 60);
    batch.source_offsets.push_back((e + 1) * kSource);
    batch.target_offsets.push_back((e + 1) * kTarget);
    batch.example_keys.push_back(static_cast<uint64_t>(e));
  }
  return batch;
}

struct Peaks {
  int64_t activations, workspace;  // the most bytes that a pass holds
};

Peaks PeaksOf(DType compute, const RecomputePlan& plan, int64_t vocabulary) {
  CpuAllocator memory;
  Context ctx(memory);
  T5Config config;
  config.vocab_size = vocabulary;
  config.d_model = 64;
  config.d_kv = 16;
  config.d_ff = 160;
  config.num_heads = 4;
  config.num_layers = config.num_decoder_layers = 6;
  T5Model model(config, {.compute = compute, .recompute = plan});
  model.params().Initialize(ctx, 1);
  model.params().PrepareCompute(ctx, /*for_training=*/true);
  MapSink sink;
  memory.ResetPeak();
  Pass(ctx, model, ManyTokens(), 0.1f, sink);
  const auto by_kind = memory.Report().by_kind;
  return {by_kind[static_cast<int>(MemoryKind::kActivations)].peak_bytes,
          by_kind[static_cast<int>(MemoryKind::kWorkspace)].peak_bytes};
}

TEST(MemoryPeakTest, EveryModeNeedsLessThanTheOneBefore) {
  for (const DType compute : {DType::kF32, DType::kBF16}) {
    int64_t before = std::numeric_limits<int64_t>::max();
    for (const RecomputePlan& plan :
         {RecomputePlan{RecomputeMode::kNone}, RecomputePlan{RecomputeMode::kSelective},
          RecomputePlan{RecomputeMode::kBlock}, RecomputePlan{RecomputeMode::kBlock, 80}}) {
      const int64_t peak = PeaksOf(compute, plan, 64).activations;
      std::printf("%s, mode %d, chunks of %ld: %ld bytes of activations\n",
                  std::string(DTypeName(compute)).c_str(), static_cast<int>(plan.mode),
                  plan.max_chunk_tokens, peak);
      EXPECT_LT(static_cast<double>(peak), 0.9 * static_cast<double>(before));
      before = peak;
    }
  }
}

TEST(MemoryPeakTest, ChunksBoundTheLogits) {
  for (const DType compute : {DType::kF32, DType::kBF16}) {
    const int64_t whole = PeaksOf(compute, {RecomputeMode::kBlock}, 4096).workspace;
    const int64_t chunked = PeaksOf(compute, {RecomputeMode::kBlock, 80}, 4096).workspace;
    EXPECT_LT(2 * chunked, whole);
  }
}

}  // namespace
}  // namespace frond
