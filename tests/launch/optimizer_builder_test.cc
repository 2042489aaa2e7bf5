#include "launch/optimizer_builder.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "configs/config_reader.h"
#include "configs/train_defaults.h"
#include "configs/train_validation.h"
#include "core/base/check.h"

namespace frond {
namespace {

constexpr char kConfig[] =
    "work_dir: 'runs/a' steps: 5 batch { rows: 4 } model { preset: 'mt5-small' }\n"
    "data { tokenizer: 'spm.model' source { path: 'a.jsonl' } }\n";

config::TrainConfig ConfigWith(const std::string& kind, const std::string& set) {
  const std::vector<std::string> sets = {"schedule.kind=" + kind, set};
  auto config = ParseConfig(kConfig, "config", sets);
  CHECK_OK(config.status());
  ResolveDefaults(*config);
  return *std::move(config);
}

bool CanBuild(const config::TrainConfig& config) {
  return BuildOptimizer(config.optimizer()).ok() &&
         BuildSchedule(config.schedule(), config.steps()).ok();
}

// The least or largest value that is right, and one beyond it.
struct Border {
  const char* field;
  const char* right;
  const char* wrong;
  const char* kind = "CONSTANT";
};

constexpr Border kBorders[] = {
    {"optimizer.adafactor.decay_exponent", "1e-9", "0"},
    {"optimizer.adafactor.clipping_threshold", "0", "-1e-9"},
    {"optimizer.adafactor.epsilon_squared_gradient", "1e-37", "9e-38"},
    {"optimizer.adafactor.epsilon_parameter", "0", "-1e-9"},
    {"optimizer.adafactor.min_dim_size_to_factor", "1", "0"},
    {"optimizer.adafactor.step_offset", "0", "-1"},
    {"optimizer.adafactor.weight_decay_rate", "0", "-1e-9"},
    {"optimizer.adafactor.weight_decay_rate", "0.999", "1"},
    {"optimizer.adamw.beta1", "0", "-1e-9"},
    {"optimizer.adamw.beta1", "0.999", "1"},
    {"optimizer.adamw.beta2", "0", "-1e-9"},
    {"optimizer.adamw.beta2", "0.999", "1"},
    {"optimizer.adamw.epsilon", "1e-30", "0"},
    {"optimizer.adamw.weight_decay", "0", "-1e-9"},
    {"schedule.learning_rate", "0", "-1e-9"},
    {"schedule.final_learning_rate", "0", "-1e-9"},
    {"schedule.warmup_steps", "0", "-1"},
    {"schedule.warmup_steps", "4", "5", "LINEAR"},
    {"schedule.warmup_steps", "4", "5", "COSINE"},
};

TEST(OptimizerBuilderTest, ConfigsAndOptimizersHaveTheSameBorders) {
  for (const Border& border : kBorders) {
    SCOPED_TRACE(border.field);
    const std::string set = std::string(border.field) + "=";
    const config::TrainConfig right = ConfigWith(border.kind, set + border.right);
    EXPECT_TRUE(ValidateTrainConfig(right).ok()) << ValidateTrainConfig(right);
    EXPECT_TRUE(CanBuild(right));
    const config::TrainConfig wrong = ConfigWith(border.kind, set + border.wrong);
    EXPECT_FALSE(ValidateTrainConfig(wrong).ok());
    EXPECT_FALSE(CanBuild(wrong));
  }
}

// Without a decay to come, the whole run may be warm-up.
TEST(OptimizerBuilderTest, WarmUpMayLastLongerThanARunWithoutDecay) {
  for (const std::string kind : {"CONSTANT", "RSQRT"}) {
    const config::TrainConfig config = ConfigWith(kind, "schedule.warmup_steps=9");
    EXPECT_TRUE(ValidateTrainConfig(config).ok());
    EXPECT_TRUE(CanBuild(config));
  }
}

}  // namespace
}  // namespace frond
