#include "launch/memory_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "configs/train_defaults.h"
#include "core/base/check.h"
#include "launch/available_memory.h"
#include "launch/model_builder.h"
#include "launch/rehearsal.h"

namespace frond {
namespace {

using testing::HasSubstr;

config::TrainConfig TinyConfig() {
  config::TrainConfig config;
  config::T5Shape& shape = *config.mutable_model()->mutable_shape();
  shape.set_vocab_size(512);
  shape.set_d_model(64);
  shape.set_d_kv(16);
  shape.set_d_ff(128);
  shape.set_num_heads(4);
  shape.set_num_layers(2);
  config.mutable_batch()->set_rows(8);
  config.mutable_data()->set_source_length(64);
  config.mutable_data()->set_target_length(32);
  ResolveDefaults(config);
  return config;
}

TEST(CheckMemoryTest, RefusesWhatDoesNotFitAndNamesWhatNeedsMost) {
  const config::TrainConfig config = TinyConfig();
  const auto model = PlannedT5Config(config);
  CHECK_OK(model.status());
  const auto rehearsal = Rehearse({.config = &config,
                                   .model = *model,
                                   .device = Device::kCpu,
                                   .mesh = {.data = 2, .tensor = 1},
                                   .batches = FullRows(config, 2, 1),
                                   .languages = 1,
                                   .rates = std::nullopt});
  CHECK_OK(rehearsal.status());
  // What the step takes, and the copy of what a save writes. Two ranks share 4 bytes of each master
  // and as many of its optimizer state, which is less where that is factored.
  EXPECT_GT(rehearsal->snapshot_bytes, 2 * T5ParameterCount(*model));
  EXPECT_LE(rehearsal->snapshot_bytes, 4 * T5ParameterCount(*model));
  const int64_t peak = rehearsal->memory.total.peak_bytes + rehearsal->snapshot_bytes;
  ComputeDevice device = {.memory = std::make_unique<CpuAllocator>(), .description = "CPU"};
  const auto check = [&](int64_t bytes) {
    device.rank_bytes = bytes;
    return CheckMemory(config, *model, device, {.data = 2, .tensor = 1}, FullRows(config, 2, 1));
  };
  EXPECT_TRUE(check(peak).ok());
  EXPECT_TRUE(check(-1).ok()) << "a device that does not say what it has";
  const absl::Status refused = check(peak - 1);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(std::string(refused.message()), HasSubstr("CPU has"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("the copy of a save beside it"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("most for activations ("));
  EXPECT_EQ(device.memory->Report().total.peak_bytes, 0) << "the check took memory";
}

TEST(CheckMemoryTest, SavesThatAreWaitedForNeedNoCopy) {
  config::TrainConfig config = TinyConfig();
  const auto model = PlannedT5Config(config);
  CHECK_OK(model.status());
  ComputeDevice device = {.memory = std::make_unique<CpuAllocator>(), .description = "CPU"};
  // Between what a step takes and what it takes with a copy.
  const auto rehearsal = Rehearse({.config = &config,
                                   .model = *model,
                                   .device = Device::kCpu,
                                   .mesh = {.data = 1, .tensor = 1},
                                   .batches = FullRows(config, 1, 1),
                                   .languages = 1,
                                   .rates = std::nullopt});
  CHECK_OK(rehearsal.status());
  device.rank_bytes = rehearsal->memory.total.peak_bytes;
  const auto check = [&] {
    return CheckMemory(config, *model, device, {.data = 1, .tensor = 1}, FullRows(config, 1, 1));
  };
  EXPECT_THAT(std::string(check().message()), HasSubstr("`checkpoint.asynchronous: false`"));
  config.mutable_checkpoint()->set_asynchronous(false);
  EXPECT_TRUE(check().ok());
}

TEST(AvailableMemoryTest, ReadsTheKernelsTexts) {
  EXPECT_EQ(ParseMemAvailable("MemTotal:  8 kB\nMemAvailable:   7210752 kB\nBuffers: 1 kB\n"),
            7210752 * 1024LL);
  EXPECT_EQ(ParseMemAvailable("MemTotal: 8 kB\n"), -1);
  EXPECT_EQ(ParseMemAvailable("MemAvailable: many kB\n"), -1);
  EXPECT_EQ(ParseGroupMemory("max\n", "1000\n"), -1);
  EXPECT_EQ(ParseGroupMemory("5000\n", "1000\n"), 4000);
  EXPECT_EQ(ParseGroupMemory("500\n", "1000\n"), 0);
  EXPECT_EQ(ParseGroupMemory("", ""), -1);
}

TEST(AvailableMemoryTest, ThisHostHasSome) {
  EXPECT_GT(AvailableHostMemory(), 1 << 20);
  EXPECT_LT(AvailableHostMemory(), int64_t{1} << 50);
}

}  // namespace
}  // namespace frond
