// Short training runs on a GPU against the CPU, and on several ranks that share the card.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "absl/strings/str_cat.h"
#include "configs/train_defaults.h"
#include "configs/train_validation.h"
#include "core/base/check.h"
#include "core/base/file.h"
#include "core/tensor/transfer.h"
#include "dist/local_communicator.h"
#include "dist/thread_communicator.h"
#include "launch/trainer.h"
#include "tests/data/tiny_tokenizer.h"
#include "tests/gpu/gpu_fixture.h"

namespace frond::testing {
namespace {

constexpr int kSteps = 4;
// Relative. Devices sum f32 products in different orders, and the optimizer divides gradients by
// their own size, which enlarges the difference where they are all but zero.
constexpr double kLossTolerance = 1e-5;
constexpr double kWeightTolerance = 1e-3;  // ||ours - theirs|| / ||theirs|| of each parameter

struct RunResult {
  std::vector<double> losses;                // per step
  std::vector<std::vector<double>> start;    // weights before the first step,
  std::vector<std::vector<double>> weights;  // and after the last
  double least_change = 0;                   // of any parameter since the start, relative
  std::string device;
};

// ||a - b|| / ||b||.
double Distance(const std::vector<double>& a, const std::vector<double>& b) {
  double squares = 0, difference = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    squares += b[i] * b[i];
    difference += (a[i] - b[i]) * (a[i] - b[i]);
  }
  return std::sqrt(difference / squares);
}

class TrainGpuTest : public ::testing::Test {
 protected:
  TrainGpuTest() {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ =
        JoinPath(::testing::TempDir(), absl::StrCat("frond_gpu_", ::getpid(), "_", info->name()));
    CHECK_OK(RemoveRecursively(folder_));
    CHECK_OK(CreateDirectories(folder_));
    const uint32_t seed = std::random_device{}();
    std::printf("rows are drawn with seed %u\n", seed);
    CHECK_OK(WriteFileAtomically(JoinPath(folder_, "rows.jsonl"), Rows(seed)));
    CHECK_OK(WriteFileAtomically(JoinPath(folder_, "spiece.model"), TinyModelBytes(320)));
  }
  ~TrainGpuTest() override { CHECK_OK(RemoveRecursively(folder_)); }

  static std::string Rows(uint32_t seed) {
    std::mt19937 random(seed);
    std::string text;
    for (int i = 0; i < 40; ++i) {
      absl::StrAppend(&text, R"({"inputs": ")", TinySentence(static_cast<int>(random() % 280)),
                      R"(", "targets": ")", TinySentence(static_cast<int>(random() % 280)),
                      R"(", "language": ")", i % 2 == 0 ? "eng" : "deu", "\"}\n");
    }
    return text;
  }

  config::TrainConfig Config(config::Device device) {
    config::TrainConfig config;
    config.set_work_dir(JoinPath(folder_, absl::StrCat("run", runs_++)));
    config.set_steps(kSteps);
    config.set_threads(1);
    config.set_device(device);
    config::T5Shape& shape = *config.mutable_model()->mutable_shape();
    shape.set_d_model(32);
    shape.set_d_kv(32);
    shape.set_d_ff(64);
    shape.set_num_heads(2);
    shape.set_num_layers(1);
    config::Data& data = *config.mutable_data();
    data.set_tokenizer(JoinPath(folder_, "spiece.model"));
    data.set_cache_dir(JoinPath(folder_, "cache"));
    data.add_source()->add_path(JoinPath(folder_, "rows.jsonl"));
    data.set_source_length(64);
    data.set_target_length(64);
    data.set_packing(false);
    config.mutable_batch()->set_rows(4);
    config.mutable_optimizer()->mutable_adafactor()->set_min_dim_size_to_factor(16);
    config.mutable_schedule()->set_learning_rate(0.01);
    config.mutable_report()->set_tensorboard(false);
    return config;
  }

  static config::TrainConfig Resolved(config::TrainConfig config) {
    ResolveDefaults(config);
    CHECK_OK(ValidateTrainConfig(config));
    return config;
  }

  // By element of the whole parameters; NaN where this rank does not hold it.
  static std::vector<std::vector<double>> Weights(Trainer& trainer) {
    std::vector<std::vector<double>> start, weights;
    for (const auto& param : trainer.model().params().params()) {
      // The rows of others may still be on their way (dist/weight_shards.h).
      const std::vector<double> part = ToDoubles(trainer.context(), param->OwnedRows(param->value));
      std::vector<double>& whole = weights.emplace_back(param->spec.shape.num_elements(),
                                                        std::numeric_limits<double>::quiet_NaN());
      for (size_t i = 0; i < part.size(); ++i) {
        whole[static_cast<size_t>(param->owned.WholeIndex(static_cast<int64_t>(i)))] = part[i];
      }
    }
    return weights;
  }

  static RunResult TrainOn(Communicator& world, const config::TrainConfig& config) {
    auto trainer = Trainer::Create(Resolved(config), world, nullptr);
    CHECK_OK(trainer.status());
    RunResult result = {.device = (*trainer)->device().description};
    result.start = Weights(**trainer);
    double before = 0;
    for (int step = 0; step < kSteps; ++step) {
      CHECK_OK((*trainer)->Step());
      result.losses.push_back((*trainer)->interval().loss - before);
      before = (*trainer)->interval().loss;
    }
    result.weights = Weights(**trainer);
    return result;
  }

  // What ranks hold, put together; what several hold must be the same to the bit.
  static void Join(const std::vector<std::vector<double>>& theirs,
                   std::vector<std::vector<double>>& all) {
    int64_t different = 0;
    for (size_t p = 0; p < all.size(); ++p) {
      for (size_t i = 0; i < all[p].size(); ++i) {
        if (std::isnan(theirs[p][i])) continue;
        if (std::isnan(all[p][i])) all[p][i] = theirs[p][i];
        different += all[p][i] != theirs[p][i] ? 1 : 0;
      }
    }
    EXPECT_EQ(different, 0) << "ranks have drifted apart";
  }

  static RunResult Train(const config::TrainConfig& config, int ranks = 1) {
    std::vector<RunResult> results(static_cast<size_t>(ranks));
    RunThreadRanks(ranks, [&](Communicator& world) {
      results[static_cast<size_t>(world.rank())] = TrainOn(world, config);
    });
    RunResult all = results[0];
    for (const RunResult& other : results) {
      EXPECT_EQ(other.losses, all.losses);
      Join(other.start, all.start);
      Join(other.weights, all.weights);
    }
    all.least_change = Distance(all.weights[0], all.start[0]);
    for (size_t p = 1; p < all.start.size(); ++p) {
      all.least_change = std::min(all.least_change, Distance(all.weights[p], all.start[p]));
    }
    return all;
  }

  static void ExpectClose(const RunResult& ours, const RunResult& theirs, const char* what) {
    double worst_loss = 0, worst = 0;
    for (size_t i = 0; i < theirs.losses.size(); ++i) {
      worst_loss = std::max(worst_loss, std::abs(ours.losses[i] / theirs.losses[i] - 1));
    }
    for (size_t p = 0; p < theirs.weights.size(); ++p) {
      worst = std::max(worst, Distance(ours.weights[p], theirs.weights[p]));
    }
    std::printf("    %s: losses differ by %.1e, weights by %.1e\n", what, worst_loss, worst);
    EXPECT_LE(worst_loss, kLossTolerance) << what;
    EXPECT_LE(worst, kWeightTolerance) << what;
  }

  std::string folder_;
  int runs_ = 0;
};

TEST_F(TrainGpuTest, LossesAreTheCpus) {
  FROND_GPU_OR_SKIP(gpu);
  const RunResult cpu = Train(Config(config::CPU)), ours = Train(Config(config::AUTO));
  EXPECT_EQ(cpu.device, "CPU");
  EXPECT_THAT(ours.device, ::testing::StartsWith("GPU 0 of "));
  // Else equal weights would say nothing. The losses of so few steps need not fall.
  std::printf("    every parameter moved by %.1e at least\n", cpu.least_change);
  EXPECT_GT(cpu.least_change, 5 * kWeightTolerance);
  ExpectClose(ours, cpu, "GPU and CPU");
}

TEST_F(TrainGpuTest, LossesInBf16AreTheCpus) {
  FROND_GPU_OR_SKIP(gpu);
  const auto train = [&](config::Device device) {
    config::TrainConfig config = Config(device);
    config.mutable_model()->set_compute(config::BF16);
    return Train(config).losses;
  };
  const std::vector<double> cpu = train(config::CPU), ours = train(config::CUDA);
  for (int i = 0; i < kSteps; ++i) {
    // bf16 rounds by up to 4e-3 where it rounds; the loss is a mean over many such.
    EXPECT_NEAR(ours[static_cast<size_t>(i)] / cpu[static_cast<size_t>(i)], 1, 2e-3)
        << "step " << i;
  }
}

TEST_F(TrainGpuTest, RanksMayShareTheCard) {
  FROND_GPU_OR_SKIP(gpu);
  const RunResult one = Train(Config(config::CUDA));
  ExpectClose(Train(Config(config::CUDA), 2), one, "two ranks");
  ExpectClose(Train(Config(config::CUDA), 4), one, "four ranks");
}

// Each with every kind of parallelism that has code of its own on a GPU.
TEST_F(TrainGpuTest, RanksMayShareTheModel) {
  FROND_GPU_OR_SKIP(gpu);
  const RunResult one = Train(Config(config::CUDA));
  const auto on = [&](int data, int tensor, bool sequence_parallel, int zero_stage) {
    config::TrainConfig config = Config(config::CUDA);
    config.mutable_mesh()->set_data(data);
    config.mutable_mesh()->set_tensor(tensor);
    config.mutable_mesh()->set_sequence_parallel(sequence_parallel);
    config.mutable_mesh()->set_zero_stage(zero_stage);
    return Train(config, data * tensor);
  };
  ExpectClose(on(1, 2, false, 0), one, "tensor axis of two");
  ExpectClose(on(1, 2, true, 0), one, "tensor axis of two, sequence parallel");
  ExpectClose(on(2, 1, false, 2), one, "two data ranks, sharded masters");
  ExpectClose(on(2, 2, true, 2), one, "data 2 x tensor 2, sequence parallel, sharded masters");
}

// A run that began on a GPU goes on elsewhere from the same bits, and the other way round.
TEST_F(TrainGpuTest, CheckpointsChangeDevices) {
  FROND_GPU_OR_SKIP(gpu);
  LocalCommunicator world;
  config::TrainConfig config = Config(config::CUDA);
  std::vector<std::vector<double>> weights;
  for (const config::Device device : {config::CUDA, config::CPU, config::CUDA}) {
    config.set_device(device);
    auto trainer = Trainer::Create(Resolved(config), world, nullptr);
    ASSERT_TRUE(trainer.ok()) << trainer.status();
    if (!weights.empty()) {
      EXPECT_TRUE(Weights(**trainer) == weights) << "resumed with other weights";
      EXPECT_EQ((*trainer)->state().step, config.steps() - 2);
    }
    const absl::Status status = (*trainer)->Run();
    ASSERT_TRUE(status.ok()) << status;
    weights = Weights(**trainer);
    config.set_steps(config.steps() + 2);
  }
}

}  // namespace
}  // namespace frond::testing
