// What a run computes does not depend on how it is computed: ranks, micro-batches, packing and
// recomputation change speed and memory only.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/file.h"
#include "dist/local_communicator.h"
#include "tests/launch/trainer_runs.h"

namespace frond {
namespace {

// Of the f32 step against f64 by hand.
constexpr double kHandTolerance = 1e-6;

class TrainerInvarianceTest : public TrainerRuns {
 protected:
  // The same run in every form.
  void ExpectInvariant(const std::function<void(config::TrainConfig&)>& change) {
    const auto train = [&](int ranks, int micro_batches, bool packed) {
      config::TrainConfig config = Config();
      change(config);
      config.mutable_batch()->set_micro_batches(micro_batches);
      config.mutable_data()->set_packing(packed);
      if (packed) config.mutable_batch()->set_rows(1);
      return Train(config, ranks);
    };
    const Result reference = train(1, 1, false);
    EXPECT_LT(reference.losses.back(), reference.losses.front());
    ExpectEqual(train(2, 1, false), reference, "two ranks");
    ExpectEqual(train(4, 1, false), reference, "four ranks");
    ExpectEqual(train(1, 2, false), reference, "two micro-batches");
    ExpectEqual(train(1, 4, false), reference, "four micro-batches");
    ExpectEqual(train(2, 2, false), reference, "two micro-batches on each of two ranks");
    ExpectEqual(train(1, 1, true), reference, "packed into one row");
    // One row a step: the second rank has nothing to do.
    ExpectEqual(train(2, 1, true), reference, "packed into one row, two ranks");
  }
};

TEST_F(TrainerInvarianceTest, MeanOverExamples) {
  ExpectInvariant([](config::TrainConfig& config) {
    config.mutable_loss()->set_normalizer(config::Loss::PER_EXAMPLE);
    config.mutable_model()->set_dropout(0);
  });
}

TEST_F(TrainerInvarianceTest, MeanOverExamplesWithDropout) {
  ExpectInvariant([](config::TrainConfig& config) {
    config.mutable_loss()->set_normalizer(config::Loss::PER_EXAMPLE);
    config.mutable_model()->set_dropout(0.2f);
  });
}

TEST_F(TrainerInvarianceTest, MeanOverTokensWithDropoutAndClipping) {
  ExpectInvariant([](config::TrainConfig& config) {
    config.mutable_loss()->set_normalizer(config::Loss::PER_TOKEN);
    config.mutable_model()->set_dropout(0.1f);
    config.mutable_optimizer()->set_clip_global_norm(0.5);
    config.mutable_optimizer()->mutable_adamw();
    config.mutable_schedule()->set_learning_rate(0.003);
  });
}

config::TrainConfig WithMasters(config::TrainConfig config, config::Model::Masters masters) {
  config.mutable_model()->set_compute(config::BF16);
  config.mutable_model()->set_masters(masters);
  return config;
}

// Halves hold the f32 weights, and products see the same bf16 of both: no bit of a run differs.
TEST_F(TrainerInvarianceTest, SplitMastersAreTheF32Masters) {
  for (const bool adamw : {false, true}) {
    config::TrainConfig config = Config();
    if (adamw) config.mutable_optimizer()->mutable_adamw();
    const Result whole = Train(WithMasters(config, config::Model::F32));
    config.set_work_dir(config.work_dir() + "_split");
    const Result split = Train(WithMasters(config, config::Model::SPLIT));
    EXPECT_EQ(split.losses, whole.losses);
    EXPECT_EQ(split.weights, whole.weights);
  }
}

// bf16 alone goes another way, but not far: its rounding is right on average, the same in every
// run, and the same on every rank, which Train checks.
TEST_F(TrainerInvarianceTest, StochasticMastersStayClose) {
  config::TrainConfig config = Config();
  const Result whole = Train(WithMasters(config, config::Model::F32));
  const auto again = [&](int ranks) {
    config.set_work_dir(config.work_dir() + "+");
    return Train(WithMasters(config, config::Model::BF16_STOCHASTIC), ranks);
  };
  const Result rounded = again(1);
  EXPECT_EQ(again(1).weights, rounded.weights);
  again(2);
  EXPECT_NE(rounded.losses, whole.losses);
  for (size_t i = 0; i < whole.losses.size(); ++i) {
    EXPECT_NEAR(rounded.losses[i], whole.losses[i], 0.03 * whole.losses[i]) << "step " << i;
  }
}

TEST_F(TrainerInvarianceTest, RecomputationChangesNoBit) {
  for (const config::ComputeDType compute : {config::F32, config::BF16}) {
    const auto train = [&](config::Recompute recompute) {
      config::TrainConfig config = Config();
      config.mutable_model()->set_recompute(recompute);
      config.mutable_model()->set_compute(compute);
      return Train(config);
    };
    const Result kept = train(config::NONE);
    for (const config::Recompute mode : {config::SELECTIVE, config::BLOCK}) {
      const Result recomputed = train(mode);
      EXPECT_EQ(recomputed.losses, kept.losses);
      EXPECT_TRUE(recomputed.weights == kept.weights);
    }
  }
}

TEST_F(TrainerInvarianceTest, UpdatesInBackwardChangeNoBit) {
  const auto expect_same = [&](bool use_adamw, bool packed, int ranks) {
    config::TrainConfig config = Config();
    if (use_adamw) config.mutable_optimizer()->mutable_adamw();
    config.mutable_data()->set_packing(packed);
    if (packed) config.mutable_batch()->set_rows(1);
    const Result kept = Train(config, ranks);
    config.set_work_dir(JoinPath(folder_, absl::StrCat("run", runs_++)));
    config.mutable_optimizer()->set_update_in_backward(true);
    const Result updated = Train(config, ranks);
    EXPECT_EQ(updated.losses, kept.losses);
    EXPECT_TRUE(updated.weights == kept.weights) << ranks << " ranks";
  };
  expect_same(false, false, 1);
  expect_same(true, false, 1);
  expect_same(true, false, 4);
  // One row a step: the second rank has nothing to do.
  expect_same(false, true, 2);
}

config::TrainConfig WithAllMemoryModes(config::TrainConfig config) {
  config.mutable_model()->set_recompute(config::BLOCK);
  config.mutable_model()->set_chunk_tokens(100);
  config.mutable_optimizer()->set_update_in_backward(true);
  return config;
}

TEST_F(TrainerInvarianceTest, ChunksAndUpdatesInBackwardTogether) {
  const Result reference = Train(Config());
  const config::TrainConfig config = WithAllMemoryModes(Config());
  ExpectEqual(Train(config), reference, "chunks and updates in backward");
  ExpectEqual(Train(config, 2), reference, "chunks and updates in backward, two ranks");
}

TEST_F(TrainerInvarianceTest, ChunksChangeRoundingOnly) {
  const Result reference = Train(Config());
  for (const int64_t tokens : {1, 100}) {
    config::TrainConfig config = Config();
    config.mutable_model()->set_recompute(config::BLOCK);
    config.mutable_model()->set_chunk_tokens(tokens);
    const std::string what = absl::StrCat("chunks of ", tokens, " tokens");
    ExpectEqual(Train(config), reference, what);
    ExpectEqual(Train(config, 2), reference, what + ", two ranks");
  }
}

TEST_F(TrainerInvarianceTest, MemoryModesNeedLessMemory) {
  const auto peaks = [](const config::TrainConfig& config) {
    LocalCommunicator world;
    auto trainer = Trainer::Create(Resolved(config), world, nullptr);
    CHECK_OK(trainer.status());
    for (int step = 0; step < 3; ++step) CHECK_OK((*trainer)->Step());
    return (*trainer)->memory().Report();
  };
  const MemoryReport plain = peaks(Config()), small = peaks(WithAllMemoryModes(Config()));
  const auto part = [&](MemoryKind kind) {
    const auto at = static_cast<size_t>(kind);
    return static_cast<double>(small.by_kind[at].peak_bytes) /
           static_cast<double>(plain.by_kind[at].peak_bytes);
  };
  std::printf("activations %.3f, gradients %.3f of those without memory modes\n",
              part(MemoryKind::kActivations), part(MemoryKind::kGradients));
  EXPECT_LT(part(MemoryKind::kActivations), 0.3);
  EXPECT_LT(part(MemoryKind::kGradients), 0.3);
  EXPECT_EQ(part(MemoryKind::kOptimizer), 1);
  EXPECT_LT(small.total.peak_bytes, plain.total.peak_bytes);
}

TEST_F(TrainerInvarianceTest, RunsWithMemoryModesResumeToTheSameBits) {
  const auto run = [](config::TrainConfig config, int64_t steps) {
    config.set_steps(steps);
    LocalCommunicator world;
    auto trainer = Trainer::Create(Resolved(config), world, nullptr);
    CHECK_OK(trainer.status());
    CHECK_OK((*trainer)->Run());
  };
  config::TrainConfig whole = WithAllMemoryModes(Config()), halves = WithAllMemoryModes(Config());
  for (config::TrainConfig* config : {&whole, &halves}) {
    config->mutable_optimizer()->mutable_adamw();
    config->mutable_checkpoint()->set_every_steps(3);
    config->mutable_report()->set_every_steps(1);
  }
  run(whole, 6);
  run(halves, 3);
  run(halves, 6);
  for (const char* name : {"metrics.jsonl", "checkpoints/step_00000006/model.safetensors",
                           "checkpoints/step_00000006/train_state/optimizer.safetensors"}) {
    const auto ours = ReadFile(JoinPath(halves.work_dir(), name));
    const auto theirs = ReadFile(JoinPath(whole.work_dir(), name));
    ASSERT_TRUE(ours.ok() && theirs.ok()) << ours.status() << theirs.status();
    EXPECT_FALSE(theirs->empty());
    EXPECT_TRUE(*ours == *theirs) << name;
  }
}

// Dropout and the normaliser are not no-ops, so that the tests above could fail.
TEST_F(TrainerInvarianceTest, DropoutSeedAndNormalizerMatter) {
  const Result reference = Train(Config());
  config::TrainConfig config = Config();
  config.mutable_model()->set_dropout(0);
  EXPECT_NE(Train(config).losses, reference.losses);
  config = Config();
  config.set_seed(7);
  EXPECT_NE(Train(config).losses, reference.losses);
  config = Config();
  config.mutable_loss()->set_normalizer(config::Loss::PER_TOKEN);
  EXPECT_NE(Train(config).losses, reference.losses);
}

// -log softmax(row)[target] and log of the softmax's normaliser.
std::pair<double, double> LossOfRow(const double* row, int64_t vocabulary, int32_t target) {
  const double largest = *std::max_element(row, row + vocabulary);
  double sum = 0;
  for (int64_t v = 0; v < vocabulary; ++v) sum += std::exp(row[v] - largest);
  const double log_z = largest + std::log(sum);
  return {log_z - row[target], log_z};
}

// Example `e` of `batch` alone.
Batch OneExample(const Batch& batch, int64_t e) {
  Batch one;
  one.source_ids.assign(batch.source_ids.begin() + batch.source_offsets[e],
                        batch.source_ids.begin() + batch.source_offsets[e + 1]);
  one.target_ids.assign(batch.target_ids.begin() + batch.target_offsets[e],
                        batch.target_ids.begin() + batch.target_offsets[e + 1]);
  one.source_offsets = {0, static_cast<int32_t>(one.source_ids.size())};
  one.target_offsets = {0, static_cast<int32_t>(one.target_ids.size())};
  one.example_keys = {batch.example_keys[e]};
  one.leaf = {batch.leaf[e]};
  return one;
}

struct HandLosses {
  double loss = 0, z_loss = 0;
};

// The loss of all examples, one by one, in f64 on a copy of the masters.
HandLosses LossByHand(T5Model& model, const Batch& batch, const config::Loss& loss) {
  CpuAllocator memory;
  Context ctx(memory);
  T5Model exact(model.config(), {.compute = DType::kF64});
  exact.params().Allocate(ctx);
  for (const auto& param : exact.params().params()) {
    const Tensor& master = model.params().Find(param->name)->value;
    const int64_t n = master.shape().num_elements();
    std::copy_n(master.As<float>(), n, param->value.As<double>());
  }
  exact.params().PrepareCompute(ctx, /*for_training=*/false);
  const bool per_example = loss.normalizer() == config::Loss::PER_EXAMPLE;
  HandLosses sums;
  for (int64_t e = 0; e < batch.num_examples(); ++e) {
    const Batch one = OneExample(batch, e);
    const Tensor logits = exact.Logits(ctx, one);
    const double weight =
        1.0 / (per_example ? static_cast<double>(batch.num_examples() * one.num_target_tokens())
                           : static_cast<double>(batch.num_target_tokens()));
    for (int64_t t = 0; t < one.num_target_tokens(); ++t) {
      const int64_t vocabulary = logits.shape().dim(1);
      const auto [nll, log_z] =
          LossOfRow(logits.As<double>() + t * vocabulary, vocabulary, one.target_ids[t]);
      sums.loss += weight * nll;
      sums.z_loss += weight * loss.z_loss() * log_z * log_z;
    }
  }
  return sums;
}

TEST_F(TrainerInvarianceTest, TheLossIsThatOfAComputationByHand) {
  for (const auto normalizer : {config::Loss::PER_EXAMPLE, config::Loss::PER_TOKEN}) {
    config::TrainConfig config = Config();
    config.mutable_loss()->set_normalizer(normalizer);
    config.mutable_loss()->set_z_loss(0.01f);
    config.mutable_model()->set_dropout(0);
    config.mutable_data()->set_packing(true);
    config.mutable_batch()->set_rows(1);
    const config::TrainConfig resolved = Resolved(config);
    LocalCommunicator world;
    auto trainer = Trainer::Create(resolved, world, nullptr);
    ASSERT_TRUE(trainer.ok()) << trainer.status();
    const auto tokenizer = Tokenizer::Load(resolved.data().tokenizer());
    ASSERT_TRUE(tokenizer.ok());
    auto data = TrainingData::Open(resolved, **tokenizer, 1);
    ASSERT_TRUE(data.ok()) << data.status();
    double loss = 0, z_loss = 0;
    for (int step = 0; step < 3; ++step) {
      const StepPlan plan = (*data)->NextStep(0, 1);
      ASSERT_EQ(plan.batches.size(), 1u);
      ASSERT_EQ(plan.batches[0].num_examples(), kWindow);
      const HandLosses hand = LossByHand((*trainer)->model(), plan.batches[0], resolved.loss());
      ASSERT_TRUE((*trainer)->Step().ok());
      const IntervalStats& sums = (*trainer)->interval();
      EXPECT_NEAR(sums.loss - loss, hand.loss, kHandTolerance * hand.loss);
      EXPECT_NEAR(sums.z_loss - z_loss, hand.z_loss, kHandTolerance * hand.z_loss);
      loss = sums.loss;
      z_loss = sums.z_loss;
    }
  }
}

}  // namespace
}  // namespace frond
