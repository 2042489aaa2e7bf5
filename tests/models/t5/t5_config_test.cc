#include "models/t5/t5_config.h"

#include <gtest/gtest.h>

#include "models/t5/t5_model.h"

namespace frond {
namespace {

// Counts published for, or derived layer by layer from, the models' shapes.
TEST(T5ConfigTest, PresetsHaveTheKnownParameterCounts) {
  const std::pair<const char*, int64_t> known[] = {
      {"mt5-small", 300176768}, {"mt5-base", 582401280},  {"mt5-large", 1229581312},
      {"mt5-xl", 3742619648},   {"mt5-xxl", 12921057280}, {"t5-v1_1-xxl", 11135332352},
  };
  for (const auto& [name, count] : known) {
    const auto config = T5Preset(name);
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(T5ParameterCount(*config), count) << name;
    // The declared parameters are the same number; declaring takes no memory.
    const T5Model model(*config, {});
    EXPECT_EQ(model.params().num_elements(), count) << name;
  }
}

TEST(T5ConfigTest, UnknownPresetNamesTheNearest) {
  const auto config = T5Preset("mt5-smal");
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(config.status().message().find("'mt5-small'"), absl::string_view::npos);
}

TEST(T5ConfigTest, JsonRoundTrip) {
  T5Config config = *T5Preset("mt5-base");
  config.dropout_rate = 0.05f;
  config.num_decoder_layers = 3;
  const auto read = T5ConfigFromJson(T5ConfigToJson(config), "config.json");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(T5ConfigToJson(*read), T5ConfigToJson(config));
  EXPECT_EQ(read->num_decoder_layers, 3);
  EXPECT_EQ(read->layer_norm_epsilon, 1e-6f);
}

TEST(T5ConfigTest, RefusesWhatItDoesNotCompute) {
  for (const char* text :
       {"", "[]", R"({"model_type": "bert"})",
        R"({"model_type": "t5", "feed_forward_proj": "relu"})",
        R"({"model_type": "mt5", "feed_forward_proj": "gated-gelu", "d_model": "x"})",
        R"({"model_type": "mt5", "feed_forward_proj": "gated-gelu", "d_model": -1})",
        R"({"model_type": "mt5", "feed_forward_proj": "gated-gelu", "pad_token_id": 999999})"}) {
    const auto config = T5ConfigFromJson(text, "config.json");
    EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

// mT5-XXL at 512/128: 22.1 TFLOP per training example.
TEST(T5ConfigTest, CountsFlops) {
  EXPECT_NEAR(3 * T5ForwardFlops(*T5Preset("mt5-xxl"), 512, 128), 22.1e12, 0.05e12);
  EXPECT_NEAR(3 * T5ForwardFlops(*T5Preset("mt5-xl"), 512, 128), 5.8e12, 0.05e12);
}

}  // namespace
}  // namespace frond
