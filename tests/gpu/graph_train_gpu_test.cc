// Training runs with `cuda_graphs` against the same runs without: weights and metrics, to the bit.
#include <gtest/gtest.h>
#include <unistd.h>

#include <random>

#include "absl/strings/str_cat.h"
#include "configs/config_reader.h"
#include "configs/train_defaults.h"
#include "configs/train_validation.h"
#include "core/base/check.h"
#include "core/base/file.h"
#include "core/tensor/transfer.h"
#include "dist/thread_communicator.h"
#include "launch/trainer.h"
#include "tests/data/tiny_tokenizer.h"
#include "tests/gpu/gpu_fixture.h"

namespace frond::testing {
namespace {

constexpr int64_t kSteps = 5;

struct RunResult {
  std::vector<std::vector<double>> weights;
  std::string metrics;  // of all steps and evaluations
  CudaGraphCounts counts;
};

class GraphTrainGpuTest : public ::testing::Test {
 protected:
  GraphTrainGpuTest() {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = JoinPath(::testing::TempDir(),
                       absl::StrCat("frond_graphs_", ::getpid(), "_", info->name()));
    CHECK_OK(RemoveRecursively(folder_));
    CHECK_OK(CreateDirectories(folder_));
    const uint32_t seed = std::random_device{}();
    std::printf("rows are drawn with seed %u\n", seed);
    std::mt19937 random(seed);
    std::string rows;
    for (int i = 0; i < 30; ++i) {
      absl::StrAppend(&rows, R"({"inputs": ")", TinySentence(static_cast<int>(random() % 280)),
                      R"(", "targets": ")", TinySentence(static_cast<int>(random() % 280)),
                      R"(", "language": ")", i % 2 == 0 ? "eng" : "deu", "\"}\n");
    }
    CHECK_OK(WriteFileAtomically(JoinPath(folder_, "rows.jsonl"), rows));
    CHECK_OK(WriteFileAtomically(JoinPath(folder_, "spiece.model"), TinyModelBytes(320)));
  }
  ~GraphTrainGpuTest() override { CHECK_OK(RemoveRecursively(folder_)); }

  config::TrainConfig Config(const std::vector<std::string>& sets) {
    const std::string text = absl::StrCat(
        "work_dir: '", folder_, "/run", runs_++, "' steps: ", kSteps, " threads: 1 device: CUDA ",
        "model { shape { d_model: 32 d_kv: 32 d_ff: 64 num_heads: 2 num_layers: 1 } }",
        "data { tokenizer: '", folder_, "/spiece.model' cache_dir: '", folder_, "/cache' ",
        "source { path: '", folder_, "/rows.jsonl' } source_length: 64 target_length: 64 }",
        "batch { rows: 4 } schedule { learning_rate: 0.01 } ",
        "optimizer { adafactor { min_dim_size_to_factor: 16 } } ", "eval { source { path: '",
        folder_, "/rows.jsonl' } every_steps: 2 max_new_tokens: 6 ",
        "max_examples_per_language: 3 } report { tensorboard: false terminal: false every_steps: 1 "
        "}");
    auto config = ParseConfig(text, "config", sets);
    CHECK_OK(config.status());
    ResolveDefaults(*config);
    CHECK_OK(ValidateTrainConfig(*config));
    return *std::move(config);
  }

  // Of the first of so many ranks, which share the card.
  RunResult Train(std::vector<std::string> sets, bool graphs, int ranks = 1) {
    sets.push_back(absl::StrCat("cuda_graphs=", graphs ? "true" : "false"));
    const config::TrainConfig config = Config(sets);
    RunResult run;
    RunThreadRanks(ranks, [&](Communicator& world) {
      auto trainer = Trainer::Create(config, world, nullptr);
      CHECK_OK(trainer.status());
      CHECK_OK((*trainer)->Run());
      if (world.rank() != 0) return;
      for (const auto& param : (*trainer)->model().params().params()) {
        run.weights.push_back(ToDoubles((*trainer)->context(), param->value));
      }
      run.counts = CountCudaGraphs((*trainer)->memory());
    });
    run.metrics = *ReadFile(JoinPath(config.work_dir(), "metrics.jsonl"));
    return run;
  }

  void Compare(const std::vector<std::string>& sets, int ranks = 1) {
    const RunResult want = Train(sets, false, ranks), ours = Train(sets, true, ranks);
    EXPECT_EQ(ours.metrics, want.metrics);
    EXPECT_TRUE(ours.weights == want.weights);
    EXPECT_NE(want.metrics.find("exact_match"), std::string::npos) << want.metrics;
    EXPECT_EQ(want.counts.launches, 0);
    // The updates, and some of the tokens.
    EXPECT_GE(ours.counts.launches, kSteps - 1 + 6);
    EXPECT_LT(ours.counts.instantiated, ours.counts.launches);
  }

  std::string folder_;
  int runs_ = 0;
};

TEST_F(GraphTrainGpuTest, RunsAreThoseWithoutGraphs) {
  FROND_GPU_OR_SKIP(gpu);
  Compare({});
}

TEST_F(GraphTrainGpuTest, RunsInBf16AreThoseWithoutGraphs) {
  FROND_GPU_OR_SKIP(gpu);
  Compare({"model.compute=BF16", "optimizer.adamw={weight_decay: 0.01}",
           "optimizer.clip_global_norm=1"});
}

TEST_F(GraphTrainGpuTest, UpdatesInBackwardAreThoseWithoutGraphs) {
  FROND_GPU_OR_SKIP(gpu);
  Compare(
      {"optimizer.update_in_backward=true", "model.compute=BF16", "model.masters=BF16_STOCHASTIC"});
}

TEST_F(GraphTrainGpuTest, RanksThatShareTheCardCaptureBesideEachOther) {
  FROND_GPU_OR_SKIP(gpu);
  Compare({}, 2);
}

}  // namespace
}  // namespace frond::testing
