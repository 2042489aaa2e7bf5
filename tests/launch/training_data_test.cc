#include "launch/training_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>

#include "configs/train_defaults.h"
#include "core/base/file.h"
#include "tests/data/tiny_tokenizer.h"

namespace frond {
namespace {

using testing::DoubleNear;

constexpr int kRows = 40;
constexpr double kTolerance = 1e-12;

// Rows of two languages with targets of one to three words; every seventh is too long.
std::string Rows() {
  std::string text;
  for (int i = 0; i < kRows; ++i) {
    std::string target = TinySentence(i).substr(0, 3 + i % 12);
    if (i % 7 == 0)
      target = TinySentence(i) + " " + TinySentence(i + 1) + " " + TinySentence(i + 2);
    text += R"({"inputs": ")" + TinySentence(i) + R"(", "targets": ")" + target +
            R"(", "language": ")" + (i % 3 == 0 ? "deu" : "eng") + "\"}\n";
  }
  return text;
}

class TrainingDataTest : public testing::Test {
 protected:
  TrainingDataTest() {
    EXPECT_TRUE(CreateDirectories(folder_).ok());
    EXPECT_TRUE(WriteFileAtomically(folder_ + "/rows.jsonl", Rows()).ok());
  }

  ~TrainingDataTest() override { std::filesystem::remove_all(folder_); }

  config::TrainConfig Config(config::Loss::Normalizer normalizer, int rows, int micro_batches) {
    config::TrainConfig config;
    config.set_work_dir(folder_);
    config.mutable_data()->add_source()->add_path(folder_ + "/rows.jsonl");
    config.mutable_data()->set_source_length(48);
    config.mutable_data()->set_target_length(24);
    config.mutable_data()->set_window(32);
    config.mutable_batch()->set_rows(rows);
    config.mutable_batch()->set_micro_batches(micro_batches);
    config.mutable_loss()->set_normalizer(normalizer);
    ResolveDefaults(config);
    return config;
  }

  // The first step as each rank sees it.
  std::vector<StepPlan> Step(const config::TrainConfig& config, int ranks) {
    std::vector<StepPlan> plans;
    for (int rank = 0; rank < ranks; ++rank) {
      const auto data = TrainingData::Open(config, *tokenizer_, 1);
      EXPECT_TRUE(data.ok()) << data.status();
      plans.push_back((*data)->NextStep(rank, ranks));
    }
    return plans;
  }

  const std::string folder_ =
      testing::TempDir() + "/training_data_test_" + std::to_string(getpid());
  const std::shared_ptr<const Tokenizer> tokenizer_ = TinyTokenizer();
};

// The sum of each example's token weights over all ranks and micro-batches, by its number.
std::map<uint64_t, double> WeightOfExamples(const std::vector<StepPlan>& plans) {
  std::map<uint64_t, double> weights;
  for (const StepPlan& plan : plans) {
    EXPECT_EQ(plan.batches.size(), plan.token_weights.size());
    for (size_t b = 0; b < plan.batches.size(); ++b) {
      const Batch& batch = plan.batches[b];
      EXPECT_EQ(plan.token_weights[b].size(), batch.target_ids.size());
      for (int64_t e = 0; e < batch.num_examples(); ++e) {
        EXPECT_EQ(weights.count(batch.example_keys[e]), 0u) << "taken twice";
        double& weight = weights[batch.example_keys[e]];
        for (int32_t t = batch.target_offsets[e]; t < batch.target_offsets[e + 1]; ++t) {
          weight += plan.token_weights[b][t];
        }
      }
    }
  }
  return weights;
}

TEST_F(TrainingDataTest, ExamplesOfAPackedRowWeighTheSame) {
  const auto config = Config(config::Loss::PER_EXAMPLE, /*rows=*/4, /*micro_batches=*/2);
  const std::vector<StepPlan> plans = Step(config, 2);
  const auto weights = WeightOfExamples(plans);
  ASSERT_EQ(weights.size(), plans[0].lengths.size());
  ASSERT_GT(weights.size(), 4u) << "no row holds two examples";
  for (const auto& [example, weight] : weights) {
    EXPECT_THAT(weight, DoubleNear(1.0 / static_cast<double>(weights.size()), kTolerance));
  }
}

TEST_F(TrainingDataTest, TokensWeighTheSame) {
  const auto config = Config(config::Loss::PER_TOKEN, 4, 1);
  for (const StepPlan& plan : Step(config, 2)) {
    for (const double weight : plan.token_weights[0]) {
      EXPECT_THAT(weight, DoubleNear(1.0 / static_cast<double>(plan.target_tokens), kTolerance));
    }
  }
}

// Fewer rows than places: some ranks have nothing, and the step is the same.
TEST_F(TrainingDataTest, MoreRanksThanRows) {
  const auto config = Config(config::Loss::PER_EXAMPLE, /*rows=*/2, /*micro_batches=*/2);
  const std::vector<StepPlan> alone = Step(config, 1), many = Step(config, 5);
  EXPECT_EQ(WeightOfExamples(many).size(), WeightOfExamples(alone).size());
  int idle = 0;
  for (const StepPlan& plan : many) {
    EXPECT_EQ(plan.next, alone[0].next);
    EXPECT_EQ(plan.target_tokens, alone[0].target_tokens);
    idle += std::all_of(plan.batches.begin(), plan.batches.end(),
                        [](const Batch& batch) { return batch.num_examples() == 0; });
  }
  EXPECT_EQ(idle, 3);
}

TEST_F(TrainingDataTest, CountsTruncatedExamples) {
  const auto config = Config(config::Loss::PER_EXAMPLE, /*rows=*/6, 1);
  const StepPlan plan = Step(config, 1)[0];
  const auto data = TrainingData::Open(config, *tokenizer_, 1);
  ASSERT_TRUE(data.ok()) << data.status();
  int64_t truncated = 0;
  auto rows = (*data)->rows().Plan(0).rows;
  rows.resize(6);
  for (const Row& row : rows) {
    for (const StreamExample& example : row.examples) {
      const SideLengths lengths = (*data)->rows().lengths()(example);
      truncated += lengths.source > 48 || lengths.target > 24;
    }
  }
  EXPECT_GT(truncated, 0);
  EXPECT_EQ(plan.truncated, truncated);
}

}  // namespace
}  // namespace frond
