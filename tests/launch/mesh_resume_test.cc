// A checkpoint knows nothing of the mesh that wrote it: a run stopped on any mesh goes on on any
// other with the same examples, and to rounding with the same losses and weights.
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "checkpoint/commit_record.h"
#include "checkpoint/safetensors.h"
#include "tests/launch/trainer_runs.h"

namespace frond {
namespace {

struct Mesh {
  int data = 1;
  int tensor = 1;
  bool sharded = false;
  bool sequence_parallel = false;

  int ranks() const { return data * tensor; }
  std::string ToString() const {
    return absl::StrCat(data, "x", tensor, sharded ? " sharded" : "",
                        sequence_parallel ? " sequence parallel" : "");
  }
};

class MeshResumeTest : public TrainerRuns {
 protected:
  static constexpr int64_t kStop = 2, kEnd = 4;

  config::TrainConfig ResumableConfig() {
    config::TrainConfig config = Config();
    config.mutable_optimizer()->mutable_adafactor()->set_min_dim_size_to_factor(16);
    config.mutable_checkpoint()->set_every_steps(kStop);
    config.mutable_report()->set_every_steps(1);
    return config;
  }

  // Runs up to `steps` in the config's work folder on a mesh; saves at its end.
  static void RunTo(int64_t steps, config::TrainConfig config, const Mesh& mesh) {
    config.set_steps(steps);
    config.mutable_mesh()->set_data(mesh.data);
    config.mutable_mesh()->set_tensor(mesh.tensor);
    config.mutable_mesh()->set_zero_stage(mesh.sharded ? 2 : 0);
    config.mutable_mesh()->set_sequence_parallel(mesh.sequence_parallel);
    RunThreadRanks(mesh.ranks(), [&](Communicator& world) {
      auto trainer = Trainer::Create(Resolved(config), world, nullptr);
      ASSERT_TRUE(trainer.ok()) << mesh.ToString() << ": " << trainer.status();
      const absl::Status status = (*trainer)->Run();
      ASSERT_TRUE(status.ok()) << mesh.ToString() << ": " << status;
    });
  }

  struct Outcome {
    std::vector<double> losses;
    std::map<std::string, std::vector<double>> tensors;  // weights and optimizer state
    std::string state;
  };

  static std::string Checkpoint(const config::TrainConfig& config, int64_t step) {
    return JoinPath(config.work_dir(), absl::StrFormat("checkpoints/step_%08d", step));
  }

  static Outcome OutcomeOf(const config::TrainConfig& config) {
    Outcome outcome;
    const auto lines = ReadFile(JoinPath(config.work_dir(), "metrics.jsonl"));
    CHECK_OK(lines.status());
    for (const absl::string_view line : absl::StrSplit(*lines, '\n', absl::SkipEmpty())) {
      const auto json = nlohmann::json::parse(std::string(line));
      if (json.contains("loss")) outcome.losses.push_back(json["loss"]);
    }
    const std::string folder = Checkpoint(config, kEnd);
    CHECK_OK(VerifyCommitRecord(folder));
    for (const char* name : {"model.safetensors", "train_state/optimizer.safetensors"}) {
      const auto reader = SafetensorsReader::Open(JoinPath(folder, name));
      CHECK_OK(reader.status());
      for (const SafetensorsEntry& entry : (*reader)->entries()) {
        Shape shape;
        for (const int64_t dim : entry.dims) shape.Append(dim);
        std::vector<double>& values = outcome.tensors[entry.name];
        values.resize(static_cast<size_t>(shape.num_elements()));
        CHECK_OK((*reader)->Read(entry.name, {values.data(), shape, DType::kF64}));
      }
    }
    const auto state = ReadFile(JoinPath(folder, "train_state/state.json"));
    CHECK_OK(state.status());
    const auto json = nlohmann::json::parse(*state);
    for (const char* field :
         {"step", "stream_window", "stream_row", "examples", "source_tokens", "target_tokens"}) {
      absl::StrAppend(&outcome.state, field, " ", json[field].dump(), "; ");
    }
    return outcome;
  }

  static void ExpectSame(const Outcome& ours, const Outcome& whole, const std::string& what) {
    SCOPED_TRACE(what);
    EXPECT_EQ(ours.state, whole.state);
    ExpectClose(ours.losses, whole.losses);
    ASSERT_EQ(ours.tensors.size(), whole.tensors.size());
    for (const auto& [name, values] : whole.tensors) {
      const auto found = ours.tensors.find(name);
      ASSERT_NE(found, ours.tensors.end()) << name;
      double difference = 0, norm = 0;
      for (size_t i = 0; i < values.size(); ++i) {
        const double off = found->second[i] - values[i];
        difference += off * off;
        norm += values[i] * values[i];
      }
      EXPECT_LE(std::sqrt(difference), kWeightTolerance * std::sqrt(norm)) << name;
    }
  }

  // From each mesh to each.
  void ExpectAllPairs(const std::vector<Mesh>& meshes) {
    const config::TrainConfig reference = ResumableConfig();
    RunTo(kEnd, reference, {});
    const Outcome whole = OutcomeOf(reference);
    ASSERT_EQ(whole.losses.size(), static_cast<size_t>(kEnd));
    for (const Mesh& from : meshes) {
      const config::TrainConfig stopped = ResumableConfig();
      RunTo(kStop, stopped, from);
      for (const Mesh& to : meshes) {
        const config::TrainConfig config = ResumableConfig();
        std::filesystem::copy(stopped.work_dir(), config.work_dir(),
                              std::filesystem::copy_options::recursive);
        RunTo(kEnd, config, to);
        ExpectSame(OutcomeOf(config), whole, from.ToString() + " to " + to.ToString());
      }
    }
  }
};

TEST_F(MeshResumeTest, FromEveryMeshToEveryMesh) {
  ExpectAllPairs({{1, 1}, {2, 1}, {1, 2}, {2, 2}, {4, 1}, {1, 4}});
}

TEST_F(MeshResumeTest, FromAndToShardedMasters) {
  ExpectAllPairs({{1, 1}, {2, 1, true}, {3, 1, true}, {2, 2, true, true}, {1, 4, false, true}});
}

// The newest checkpoint has a flipped bit: the one before it is used.
TEST_F(MeshResumeTest, GoesBackBehindADamagedCheckpoint) {
  const config::TrainConfig reference = ResumableConfig();
  RunTo(kEnd, reference, {});
  const config::TrainConfig config = ResumableConfig();
  RunTo(kEnd - 1, config, {2, 2, true});  // saves at 2 and 3
  const std::string file = JoinPath(Checkpoint(config, kEnd - 1), "model.safetensors");
  auto bytes = ReadFile(file);
  ASSERT_TRUE(bytes.ok());
  (*bytes)[bytes->size() / 2] = static_cast<char>((*bytes)[bytes->size() / 2] ^ 4);
  ASSERT_TRUE(WriteFileAtomically(file, *bytes).ok());
  const absl::Status damaged = VerifyCommitRecord(Checkpoint(config, kEnd - 1));
  EXPECT_NE(damaged.message().find("model.safetensors"), std::string::npos) << damaged;
  RunTo(kEnd, config, {1, 4});
  ExpectSame(OutcomeOf(config), OutcomeOf(reference), "behind a damaged one");
}

// One format of masters beside each other: exact bits, whatever the mesh that reads them.
TEST_F(MeshResumeTest, MastersOfEveryFormatKeepTheirBits) {
  for (const auto masters :
       {config::Model::F32, config::Model::SPLIT, config::Model::BF16_STOCHASTIC}) {
    const auto run = [&](const Mesh& mesh) {
      config::TrainConfig config = ResumableConfig();
      config.mutable_model()->set_compute(config::BF16);
      config.mutable_model()->set_masters(masters);
      config.mutable_checkpoint()->set_weights(config::BF16);
      RunTo(kStop, config, {});
      // No step more: what was read is saved again under another step's name by the end of a run
      // that makes one step without a gradient to speak of.
      config.mutable_schedule()->set_learning_rate(0);
      RunTo(kStop + 1, config, mesh);
      std::map<std::string, std::string> files;
      for (const char* name : {"model.safetensors", "train_state/masters.safetensors"}) {
        const std::string path = JoinPath(Checkpoint(config, kStop + 1), name);
        if (PathExists(path)) files[name] = *ReadFile(path);
      }
      return files;
    };
    const auto alone = run({});
    EXPECT_FALSE(alone.empty());
    for (const Mesh& mesh : {Mesh{2, 1, true}, Mesh{1, 2}, Mesh{2, 2, true, true}}) {
      EXPECT_TRUE(run(mesh) == alone) << mesh.ToString();
    }
  }
}

}  // namespace
}  // namespace frond
