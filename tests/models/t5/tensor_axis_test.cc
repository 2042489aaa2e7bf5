// A model whose parts lie on several ranks against the whole one: the same losses, gradients and
// answers, with and without sequence parallelism.
#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <random>

#include "dist/thread_communicator.h"
#include "eval/greedy_decode.h"
#include "tests/models/t5/t5_fixture.h"

namespace frond {
namespace {

// Sums of the same f64 products in another order.
constexpr double kRounding = 1e-12;

// 24 heads and 36 features a rank of 8 are no power of two; neither is the vocabulary.
T5Config SmallConfig(bool tied) {
  T5Config config;
  config.vocab_size = 8 * 37;
  config.d_model = 40;
  config.d_kv = 4;
  config.num_heads = 24;
  config.d_ff = 8 * 36;
  config.num_layers = 2;
  config.num_decoder_layers = 2;
  config.tied_head = tied;
  config.scale_decoder_output = tied;
  return config;
}

Batch RandomBatch(uint32_t seed, int64_t vocabulary) {
  std::mt19937 random(seed);
  Batch batch;
  for (uint64_t e = 0; e < 5; ++e) {
    const auto append = [&](std::vector<int32_t>& ids, std::vector<int32_t>& offsets) {
      for (uint32_t n = 1 + random() % 30; n > 0; --n) {
        ids.push_back(static_cast<int32_t>(2 + random() % (vocabulary - 2)));
      }
      offsets.push_back(static_cast<int32_t>(ids.size()));
    };
    append(batch.source_ids, batch.source_offsets);
    append(batch.target_ids, batch.target_offsets);
    batch.example_keys.push_back(100 + e);
  }
  return batch;
}

// Heads whose tables differ strongly, so that a rank that reads another's is found out.
void SpreadBias(ParamStore& store) {
  for (const auto& param : store.params()) {
    if (param->name.find("relative_attention_bias") == std::string::npos) continue;
    for (int64_t i = 0; i < param->value.shape().num_elements(); ++i) {
      const int64_t head = param->slice.WholeIndex(i) % param->slice.whole_cols;
      param->value.As<double>()[i] += 0.4 * static_cast<double>(head % 7) - 1;
    }
  }
}

struct Outcome {
  TokenLosses losses, evaluated;
  std::vector<std::vector<double>> gradients;  // whole, by parameter
  std::vector<double> logits;
  std::vector<std::vector<int32_t>> answers;
};

struct Variant {
  bool tied = false;
  bool sequence_parallel = false;
  RecomputeMode recompute = RecomputeMode::kNone;
  int64_t chunk_tokens = 0;
  float dropout = 0;
};

// On every rank; parts of gradients are put together in the first's.
Outcome RunOn(int ranks, const Variant& variant, const Batch& batch) {
  Outcome outcome;
  std::mutex mutex;
  RunThreadRanks(ranks, [&](Communicator& group) {
    CpuAllocator memory;
    Context ctx(memory);
    T5Model model(SmallConfig(variant.tied),
                  {.compute = DType::kF64,
                   .recompute = {variant.recompute, variant.chunk_tokens},
                   .tensor = TensorAxis(group, variant.sequence_parallel)});
    model.params().Initialize(ctx, 5);
    SpreadBias(model.params());
    model.params().PrepareCompute(ctx, true);
    ctx.rng = {.seed = 7, .step = 3};
    std::vector<double> weights;
    for (int64_t t = 0; t < batch.num_target_tokens(); ++t) weights.push_back(1.0 / (3 + t % 5));
    MapSink sink;
    const TokenLosses losses = model.ForwardBackward(
        ctx, batch, {.token_weights = weights, .z_loss = 1e-2, .dropout = variant.dropout}, sink);
    const TokenLosses evaluated = model.Evaluate(ctx, batch);
    const std::vector<double> logits = Values(model.Logits(ctx, batch));
    const auto answers = GreedyDecode(ctx, model, batch, 6);

    const std::lock_guard<std::mutex> lock(mutex);
    if (outcome.gradients.empty()) {
      outcome = {losses, evaluated, {}, logits, answers};
      for (const auto& param : model.params().params()) {
        outcome.gradients.emplace_back(param->spec.shape.num_elements(), -1e300);
      }
    }
    // The same bits on every rank.
    EXPECT_EQ(outcome.losses.nll, losses.nll);
    EXPECT_EQ(outcome.losses.log_z, losses.log_z);
    EXPECT_EQ(outcome.logits, logits);
    EXPECT_EQ(outcome.answers, answers);
    for (const auto& param : model.params().params()) {
      const std::vector<double> part = Values(sink.Of(*param));
      for (size_t i = 0; i < part.size(); ++i) {
        outcome.gradients[param->index][param->slice.WholeIndex(static_cast<int64_t>(i))] = part[i];
      }
    }
  });
  return outcome;
}

void ExpectSame(const Outcome& ours, const Outcome& whole, const std::string& what) {
  EXPECT_LE(RelativeError(ours.losses.nll, whole.losses.nll), kRounding) << what;
  EXPECT_LE(RelativeError(ours.losses.log_z, whole.losses.log_z), kRounding) << what;
  EXPECT_LE(RelativeError(ours.evaluated.nll, whole.evaluated.nll), kRounding) << what;
  EXPECT_LE(RelativeError(ours.logits, whole.logits), kRounding) << what;
  EXPECT_EQ(ours.answers, whole.answers) << what;
  for (size_t p = 0; p < whole.gradients.size(); ++p) {
    EXPECT_LE(RelativeError(ours.gradients[p], whole.gradients[p]), kRounding)
        << what << ", parameter " << p;
  }
}

class TensorAxisTest : public testing::TestWithParam<int> {
 protected:
  TensorAxisTest() {
    const uint32_t seed = std::random_device()();
    std::printf("the batch is drawn with seed %u\n", seed);
    batch_ = RandomBatch(seed, SmallConfig(false).vocab_size);
  }
  Batch batch_;
};

TEST_P(TensorAxisTest, GivesTheWholeModelsLossesGradientsAndAnswers) {
  for (const bool tied : {false, true}) {
    for (const float dropout : {0.0f, 0.2f}) {
      const Outcome whole = RunOn(1, {.tied = tied, .dropout = dropout}, batch_);
      for (const bool sequence_parallel : {false, true}) {
        for (const RecomputeMode mode :
             {RecomputeMode::kNone, RecomputeMode::kSelective, RecomputeMode::kBlock}) {
          ExpectSame(RunOn(GetParam(),
                           {.tied = tied,
                            .sequence_parallel = sequence_parallel,
                            .recompute = mode,
                            .dropout = dropout},
                           batch_),
                     whole,
                     std::string(tied ? "tied" : "untied") +
                         (sequence_parallel ? ", sequence parallel" : "") + ", recompute " +
                         std::to_string(static_cast<int>(mode)));
        }
      }
    }
  }
}

TEST_P(TensorAxisTest, WorksWithTokenChunks) {
  const Outcome whole = RunOn(1, {.dropout = 0.1f}, batch_);
  ExpectSame(
      RunOn(GetParam(), {.recompute = RecomputeMode::kBlock, .chunk_tokens = 20, .dropout = 0.1f},
            batch_),
      whole, "chunks");
}

INSTANTIATE_TEST_SUITE_P(Ranks, TensorAxisTest, testing::Values(2, 4, 8),
                         testing::PrintToStringParamName());

TEST(CheckTensorAxisTest, NamesWhatDoesNotSplit) {
  T5Config config;  // mT5-small: 6 heads
  EXPECT_TRUE(CheckTensorAxis(config, 2).ok());
  const absl::Status status = CheckTensorAxis(config, 4);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("num_heads = 6"), std::string::npos) << status;
  EXPECT_NE(status.message().find("must divide 2"), std::string::npos) << status;
  config.num_heads = 8;
  config.vocab_size = 250113;
  EXPECT_NE(CheckTensorAxis(config, 2).message().find("vocab_size = 250113"), std::string::npos);
}

}  // namespace
}  // namespace frond
