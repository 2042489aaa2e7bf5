// What a run computes does not depend on the mesh of its ranks: every factorisation into data x
// tensor, sequence parallelism, and masters sharded over the data ranks.
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_split.h"
#include "dist/communication_count.h"
#include "tests/launch/trainer_runs.h"

namespace frond {
namespace {

struct Mesh {
  int data = 1;
  int tensor = 1;
  bool sequence_parallel = false;
  int zero_stage = 0;

  std::string ToString() const {
    return absl::StrCat("data ", data, " x tensor ", tensor,
                        sequence_parallel ? ", sequence parallel" : "",
                        zero_stage > 0 ? ", sharded" : "");
  }
};

// All that differ for so many ranks.
std::vector<Mesh> MeshesOf(int ranks) {
  std::vector<Mesh> meshes;
  for (int tensor = 1; tensor <= ranks; tensor *= 2) {
    for (const bool sequence_parallel : {false, true}) {
      for (const int zero_stage : {0, 2}) {
        const Mesh mesh = {ranks / tensor, tensor, sequence_parallel, zero_stage};
        if (tensor == 1 && sequence_parallel) continue;
        if (mesh.data == 1 && zero_stage > 0) continue;
        meshes.push_back(mesh);
      }
    }
  }
  return meshes;
}

class MeshInvarianceTest : public TrainerRuns {
 protected:
  // 24 heads are shared by 8 ranks, but are no power of two.
  config::TrainConfig HeadedConfig() {
    config::TrainConfig config = Config();
    config.mutable_model()->mutable_shape()->set_num_heads(24);
    config.mutable_model()->mutable_shape()->set_d_kv(4);
    return config;
  }
  static config::TrainConfig On(config::TrainConfig config, const Mesh& mesh) {
    config.mutable_mesh()->set_data(mesh.data);
    config.mutable_mesh()->set_tensor(mesh.tensor);
    config.mutable_mesh()->set_sequence_parallel(mesh.sequence_parallel);
    config.mutable_mesh()->set_zero_stage(mesh.zero_stage);
    return config;
  }
  void ExpectInvariant(const config::TrainConfig& config, int ranks) {
    const Result reference = Train(config);
    EXPECT_LT(reference.losses.back(), reference.losses.front());
    for (const Mesh& mesh : MeshesOf(ranks)) {
      ExpectEqual(Train(On(config, mesh), ranks), reference, mesh.ToString());
    }
  }
};

TEST_F(MeshInvarianceTest, TwoRanks) { ExpectInvariant(HeadedConfig(), 2); }
TEST_F(MeshInvarianceTest, FourRanks) { ExpectInvariant(HeadedConfig(), 4); }
TEST_F(MeshInvarianceTest, EightRanks) { ExpectInvariant(HeadedConfig(), 8); }

TEST_F(MeshInvarianceTest, WithAdamWClippingAndMicroBatches) {
  config::TrainConfig config = HeadedConfig();
  config.mutable_optimizer()->mutable_adamw();
  config.mutable_optimizer()->set_clip_global_norm(0.5);
  config.mutable_batch()->set_micro_batches(2);
  config.mutable_schedule()->set_learning_rate(0.001);
  ExpectInvariant(config, 4);
}

TEST_F(MeshInvarianceTest, WithRecomputationAndUpdatesInBackward) {
  config::TrainConfig config = HeadedConfig();
  config.mutable_model()->set_recompute(config::BLOCK);
  config.mutable_optimizer()->set_update_in_backward(true);
  ExpectInvariant(config, 4);
}

TEST_F(MeshInvarianceTest, RanksWithoutExamples) {
  config::TrainConfig config = HeadedConfig();
  config.mutable_data()->set_packing(true);
  config.mutable_batch()->set_rows(1);
  ExpectInvariant(config, 4);
}

// What a mesh may change is a rounding to the other side of a bf16 number.
TEST_F(MeshInvarianceTest, F32Activations) {
  config::TrainConfig config = HeadedConfig();
  config.mutable_model()->set_compute(config::BF16);
  config.mutable_model()->set_masters(config::Model::SPLIT);
  config.mutable_model()->set_f32_activations(true);
  const Result reference = Train(config);
  EXPECT_LT(reference.losses.back(), reference.losses.front());
  for (const Mesh& mesh : MeshesOf(2)) {
    const Result result = Train(On(config, mesh), 2);
    ASSERT_EQ(result.losses.size(), reference.losses.size());
    EXPECT_NEAR(result.losses.front(), reference.losses.front(), 2e-4 * reference.losses.front())
        << mesh.ToString();
    EXPECT_NEAR(result.losses.back(), reference.losses.back(), 2e-3 * reference.losses.back())
        << mesh.ToString();
  }
}

// bf16 products round partial sums; what a mesh may change is of their size.
TEST_F(MeshInvarianceTest, FormatsOfMastersShardToTheSameBits) {
  for (const auto masters :
       {config::Model::F32, config::Model::SPLIT, config::Model::BF16_STOCHASTIC}) {
    for (const bool in_backward : {false, true}) {
      config::TrainConfig config = HeadedConfig();
      config.mutable_model()->set_compute(config::BF16);
      config.mutable_model()->set_masters(masters);
      // AdamW's update of an element needs no other, so that nothing is added up in another order.
      config.mutable_optimizer()->mutable_adamw();
      config.mutable_optimizer()->set_update_in_backward(in_backward);
      config.mutable_schedule()->set_learning_rate(0.001);
      const Result whole = Train(On(config, {.data = 2}), 2);
      const Result sharded = Train(On(config, {.data = 2, .zero_stage = 2}), 2);
      EXPECT_EQ(sharded.losses, whole.losses) << config::Model::Masters_Name(masters);
      EXPECT_TRUE(sharded.weights == whole.weights) << config::Model::Masters_Name(masters);
    }
  }
}

// What stands between two steps may need all weights, as an evaluation does, in which ranks differ
// in what they run (here one of them has nothing to do), or not, as a save does. Either way weights
// are gathered once for each change of the masters, and a step's traffic is the same.
TEST_F(MeshInvarianceTest, EvaluationsAndSavesOfShardedRunsGatherNothingTwice) {
  struct Outcome {
    std::vector<std::string> steps;  // of metrics.jsonl
    int evaluations = 0;
    CommunicationCount::Entry gathers;  // over the data axis, of the last start
  };
  const auto run = [&](bool with_evaluation, const std::vector<int64_t>& stops) {
    config::TrainConfig config = On(HeadedConfig(), {.data = 4, .zero_stage = 2});
    config.mutable_report()->set_every_steps(1);
    config.mutable_checkpoint()->set_every_steps(with_evaluation ? 3 : 100);
    if (with_evaluation) {
      config.mutable_eval()->set_every_steps(2);
      config.mutable_eval()->set_max_examples_per_language(1);
      config.mutable_eval()->set_max_new_tokens(4);
      *config.mutable_eval()->add_source() = config.data().source(0);
    }
    Outcome outcome;
    for (const int64_t stop : stops) {
      config.set_steps(stop);
      RunThreadRanks(4, [&](Communicator& threads) {
        const auto log = std::make_shared<CommunicationLog>();
        CountingCommunicator world(threads, log);
        auto trainer = Trainer::Create(Resolved(config), world, nullptr);
        CHECK_OK(trainer.status());
        CHECK_OK((*trainer)->Run());
        if (world.rank() > 0) return;
        outcome.gathers = std::next(log->groups.begin())->count.of(CollectiveKind::kAllGather);
      });
    }
    const auto lines = ReadFile(JoinPath(config.work_dir(), "metrics.jsonl"));
    CHECK_OK(lines.status());
    for (const absl::string_view line : absl::StrSplit(*lines, '\n', absl::SkipEmpty())) {
      if (nlohmann::json::parse(std::string(line)).contains("sent_bytes")) {
        outcome.steps.emplace_back(line);
      } else {
        ++outcome.evaluations;
      }
    }
    return outcome;
  };
  const Outcome plain = run(false, {5}), interrupted = run(true, {5}), resumed = run(true, {3, 5});
  EXPECT_EQ(plain.steps.size(), 5u);
  EXPECT_EQ(plain.evaluations, 0);
  EXPECT_GT(plain.gathers.bytes, 0);
  EXPECT_EQ(interrupted.evaluations, 2);
  EXPECT_EQ(interrupted.steps, plain.steps);
  EXPECT_EQ(interrupted.gathers, plain.gathers);
  EXPECT_EQ(resumed.evaluations, 2);
  EXPECT_EQ(resumed.steps, plain.steps);
}

TEST_F(MeshInvarianceTest, ShardsNeedLessMemory) {
  const auto bytes_of = [&](const Mesh& mesh, MemoryKind kind) {
    config::TrainConfig config = On(HeadedConfig(), mesh);
    config.mutable_model()->set_compute(config::BF16);
    config.mutable_model()->set_masters(config::Model::SPLIT);
    config.mutable_optimizer()->mutable_adamw();
    int64_t bytes = 0;
    RunThreadRanks(mesh.data, [&](Communicator& world) {
      auto trainer = Trainer::Create(Resolved(config), world, nullptr);
      CHECK_OK(trainer.status());
      CHECK_OK((*trainer)->Step());
      const MemoryReport report = (*trainer)->memory().Report();
      if (world.rank() == 0) bytes = report.by_kind[static_cast<int>(kind)].live_bytes;
    });
    return static_cast<double>(bytes);
  };
  const Mesh whole = {.data = 4}, sharded = {.data = 4, .zero_stage = 2};
  // A quarter, but for rounding up; of split weights the high half stays whole.
  EXPECT_LT(bytes_of(sharded, MemoryKind::kOptimizer),
            0.3 * bytes_of(whole, MemoryKind::kOptimizer));
  EXPECT_LT(bytes_of(sharded, MemoryKind::kGradients),
            0.3 * bytes_of(whole, MemoryKind::kGradients));
}

TEST_F(MeshInvarianceTest, RefusesWhatDoesNotDivide) {
  config::TrainConfig config = On(Config(), {.data = 1, .tensor = 8});
  RunThreadRanks(8, [&](Communicator& world) {
    const absl::Status status = Trainer::Create(Resolved(config), world, nullptr).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(status.message().find("mesh.tensor is 8, but the model's num_heads = 4"),
              std::string::npos)
        << status;
  });
}

}  // namespace
}  // namespace frond
