#include "configs/train_defaults.h"

#include <functional>
#include <vector>

#include "configs/config_reader.h"
#include "core/base/check.h"
#include "gtest/gtest.h"

namespace frond {
namespace {

config::TrainConfig Small() {
  const auto config = ParseConfig(
      "work_dir: 'runs/a' steps: 5 batch { rows: 4 } model { preset: 'mt5-small' }\n"
      "data { source { path: 'in/aya-*.jsonl.zst' } source { path: 'b_?.jsonl' name: 'b' } }\n",
      "small", {});
  CHECK_OK(config.status());
  return *config;
}

TEST(ResolveDefaults, WritesOutEveryDefault) {
  config::TrainConfig config = Small();
  ResolveDefaults(config);
  EXPECT_TRUE(config.has_seed());
  EXPECT_EQ(config.seed(), 42u);
  EXPECT_TRUE(config.optimizer().has_adafactor());
  EXPECT_TRUE(config.optimizer().adafactor().has_decay_exponent());
  EXPECT_EQ(config.data().cache_dir(), "runs/a/cache");
  EXPECT_EQ(config.data().source(0).name(), "aya");
  EXPECT_EQ(config.data().source(1).name(), "b");
  EXPECT_TRUE(config.data().source(0).fields().has_inputs());
  EXPECT_FALSE(config.model().has_shape());
  EXPECT_FALSE(config.model().has_path());
  const std::string once = ConfigToText(config);
  ResolveDefaults(config);
  EXPECT_EQ(ConfigToText(config), once);
}

TEST(ResolveDefaults, KeepsWhatIsSet) {
  config::TrainConfig config = Small();
  config.mutable_optimizer()->mutable_adamw()->set_beta1(0.5);
  config.mutable_model()->mutable_shape()->set_d_model(64);
  config.mutable_data()->set_cache_dir("elsewhere");
  ResolveDefaults(config);
  EXPECT_EQ(config.optimizer().adamw().beta1(), 0.5);
  EXPECT_EQ(config.optimizer().adamw().beta2(), 0.999);
  EXPECT_EQ(config.model().shape().d_model(), 64);
  EXPECT_EQ(config.data().cache_dir(), "elsewhere");
}

TEST(DataOrderHash, ChangesWithTheOrderOnly) {
  using Change = std::function<void(config::TrainConfig&)>;
  const auto hash_after = [](const Change& change) {
    config::TrainConfig config = Small();
    ResolveDefaults(config);
    change(config);
    return DataOrderHash(config);
  };
  const uint64_t hash = hash_after([](auto&) {});
  const std::vector<Change> moves = {
      [](auto& c) { c.set_seed(1); },
      [](auto& c) { c.mutable_batch()->set_rows(5); },
      [](auto& c) { c.mutable_data()->set_window(5); },
      [](auto& c) { c.mutable_data()->set_packing(false); },
      [](auto& c) { c.mutable_data()->set_target_length(5); },
      [](auto& c) { c.mutable_data()->mutable_source(0)->set_weight(1.0000000000000002); },
      [](auto& c) { c.mutable_data()->mutable_source(1)->set_language("fin"); },
      [](auto& c) { c.mutable_data()->mutable_source(1)->mutable_fields()->set_inputs("x"); },
      [](auto& c) { c.mutable_data()->mutable_source()->SwapElements(0, 1); },
  };
  for (size_t i = 0; i < moves.size(); ++i) EXPECT_NE(hash_after(moves[i]), hash) << i;
  const std::vector<Change> stays = {
      [](auto& c) { c.set_work_dir("b"); },
      [](auto& c) { c.set_steps(6); },
      [](auto& c) { c.mutable_batch()->set_micro_batches(2); },
      [](auto& c) { c.mutable_data()->mutable_source(0)->set_path(0, "x"); },
      [](auto& c) { c.mutable_schedule()->set_learning_rate(1); },
  };
  for (size_t i = 0; i < stays.size(); ++i) EXPECT_EQ(hash_after(stays[i]), hash) << i;
}

}  // namespace
}  // namespace frond
