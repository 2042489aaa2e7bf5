// Short training runs on drawn rows with thread ranks, to be compared with each other.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "configs/train_defaults.h"
#include "configs/train_validation.h"
#include "core/base/check.h"
#include "core/base/file.h"
#include "core/ops/master_pieces.h"
#include "dist/thread_communicator.h"
#include "launch/trainer.h"
#include "tests/data/tiny_tokenizer.h"

namespace frond {

inline constexpr int kSteps = 20;
// Relative. Sums of f32 products in another order differ by some 1e-7; the optimizers' division by
// the gradient's own size hands such differences on from step to step, and where a gradient is all
// but zero it enlarges them.
inline constexpr double kLossTolerance = 1e-6;
inline constexpr double kWeightTolerance =
    1e-4;  // ||ours - theirs|| / ||theirs|| of each parameter

inline constexpr int kWindow = 12;  // examples of a step, in every form
inline constexpr int kLongRow = 1024;

struct Result {
  std::vector<double> losses, z_losses;     // per step
  std::vector<double> language_nll;         // over all steps
  std::vector<std::vector<float>> weights;  // after the last step
};

class TrainerRuns : public testing::Test {
 protected:
  TrainerRuns() {
    const testing::TestInfo* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ =
        JoinPath(testing::TempDir(), absl::StrCat("frond_trainer_", ::getpid(), "_", info->name()));
    CHECK_OK(RemoveRecursively(folder_));
    CHECK_OK(CreateDirectories(folder_));
    std::random_device device;
    const uint32_t seed = device();
    std::printf("rows are drawn with seed %u\n", seed);
    CHECK_OK(WriteFileAtomically(JoinPath(folder_, "rows.jsonl"), Rows(seed)));
    CHECK_OK(WriteFileAtomically(JoinPath(folder_, "spiece.model"), TinyModelBytes(320)));
  }
  ~TrainerRuns() override { CHECK_OK(RemoveRecursively(folder_)); }

  // Rows of one to four sentences in three languages.
  static std::string Rows(uint32_t seed) {
    std::mt19937 random(seed);
    std::string text;
    for (int i = 0; i < 150; ++i) {
      std::string inputs, targets;
      for (uint32_t n = 1 + random() % 4; n > 0; --n) {
        absl::StrAppend(&inputs, TinySentence(static_cast<int>(random() % 280)), " ");
      }
      for (uint32_t n = 1 + random() % 2; n > 0; --n) {
        absl::StrAppend(&targets, TinySentence(static_cast<int>(random() % 280)), " ");
      }
      constexpr const char* kLanguages[] = {"eng", "deu", "tur"};
      absl::StrAppend(&text, R"({"inputs": ")", inputs, R"(", "targets": ")", targets,
                      R"(", "language": ")", kLanguages[random() % 3], "\"}\n");
    }
    return text;
  }

  // One window a step: as one long row, or as many rows of one example.
  config::TrainConfig Config() {
    config::TrainConfig config;
    config.set_work_dir(JoinPath(folder_, absl::StrCat("run", runs_++)));
    config.set_steps(kSteps);
    config.set_threads(1);
    config.set_device(config::CPU);
    config::T5Shape& shape = *config.mutable_model()->mutable_shape();
    shape.set_d_model(32);
    shape.set_d_kv(8);
    shape.set_d_ff(64);
    shape.set_num_heads(4);
    shape.set_num_layers(2);
    config::Data& data = *config.mutable_data();
    data.set_tokenizer(JoinPath(folder_, "spiece.model"));
    data.set_cache_dir(JoinPath(folder_, "cache"));
    data.add_source()->add_path(JoinPath(folder_, "rows.jsonl"));
    data.set_source_length(kLongRow);
    data.set_target_length(kLongRow);
    data.set_window(kWindow);
    data.set_packing(false);
    config.mutable_batch()->set_rows(kWindow);
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

  static Result TrainOn(Communicator& world, const config::TrainConfig& config) {
    Result result;
    auto trainer = Trainer::Create(Resolved(config), world, nullptr);
    CHECK_OK(trainer.status());
    double loss = 0, z_loss = 0;
    for (int step = 0; step < kSteps; ++step) {
      CHECK_OK((*trainer)->Step());
      const IntervalStats& sums = (*trainer)->interval();
      result.losses.push_back(sums.loss - loss);
      result.z_losses.push_back(sums.z_loss - z_loss);
      loss = sums.loss;
      z_loss = sums.z_loss;
    }
    result.language_nll = (*trainer)->interval().group_nll;
    for (const auto& param : (*trainer)->model().params().params()) {
      std::vector<float>& whole = result.weights.emplace_back(
          param->spec.shape.num_elements(), std::numeric_limits<float>::quiet_NaN());
      int64_t at = 0;
      CHECK_OK(ReadMasterInPieces(nullptr, param->master(), [&](int64_t, ConstView piece) {
        // bf16 alone is widened exactly.
        for (int64_t i = 0; i < piece.num_elements(); ++i, ++at) {
          whole[static_cast<size_t>(param->owned.WholeIndex(at))] =
              piece.dtype == DType::kF32 ? piece.As<float>()[i]
                                         : static_cast<float>(piece.As<BFloat16>()[i]);
        }
        return absl::OkStatus();
      }));
    }
    return result;
  }

  // Puts the parts of the weights that ranks keep together; what several keep, and all losses, must
  // be the same to the bit.
  static Result Train(const config::TrainConfig& config, int ranks = 1) {
    std::vector<Result> results(static_cast<size_t>(ranks));
    RunThreadRanks(ranks, [&](Communicator& world) {
      results[static_cast<size_t>(world.rank())] = TrainOn(world, config);
    });
    Result all = results[0];
    for (const Result& other : results) {
      EXPECT_EQ(other.losses, all.losses);
      for (size_t p = 0; p < all.weights.size(); ++p) Join(other.weights[p], all.weights[p]);
    }
    for (const std::vector<float>& weights : all.weights) {
      EXPECT_TRUE(std::none_of(weights.begin(), weights.end(), [](float w) { return w != w; }))
          << "a weight that no rank keeps";
    }
    return all;
  }

  static void Join(const std::vector<float>& theirs, std::vector<float>& all) {
    int64_t different = 0;
    for (size_t i = 0; i < all.size(); ++i) {
      if (std::isnan(theirs[i])) continue;
      if (std::isnan(all[i])) all[i] = theirs[i];
      different += all[i] != theirs[i] ? 1 : 0;
    }
    EXPECT_EQ(different, 0) << "ranks have drifted apart";
  }

  static void ExpectClose(const std::vector<double>& ours, const std::vector<double>& theirs) {
    ASSERT_EQ(ours.size(), theirs.size());
    for (size_t i = 0; i < ours.size(); ++i) {
      EXPECT_NEAR(ours[i], theirs[i], kLossTolerance * std::abs(theirs[i])) << "number " << i;
    }
  }

  static void ExpectEqual(const Result& ours, const Result& theirs, const std::string& what) {
    SCOPED_TRACE(what);
    ExpectClose(ours.losses, theirs.losses);
    ExpectClose(ours.z_losses, theirs.z_losses);
    ExpectClose(ours.language_nll, theirs.language_nll);
    ASSERT_EQ(ours.weights.size(), theirs.weights.size());
    double worst = 0;
    for (size_t p = 0; p < ours.weights.size(); ++p) {
      double squares = 0, difference = 0;
      for (size_t i = 0; i < ours.weights[p].size(); ++i) {
        const double value = theirs.weights[p][i], off = ours.weights[p][i] - value;
        squares += value * value;
        difference += off * off;
      }
      worst = std::max(worst, std::sqrt(difference / squares));
    }
    EXPECT_LE(worst, kWeightTolerance);
    double worst_loss = 0;
    for (size_t i = 0; i < ours.losses.size(); ++i) {
      worst_loss = std::max(worst_loss, std::abs(ours.losses[i] / theirs.losses[i] - 1));
    }
    std::printf("%s: losses differ by %.1e, weights by %.1e\n", what.c_str(), worst_loss, worst);
  }

  std::string folder_;
  int runs_ = 0;
};

}  // namespace frond
