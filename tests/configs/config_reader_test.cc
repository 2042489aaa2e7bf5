#include "configs/config_reader.h"

#include <string>
#include <vector>

#include "core/base/file.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"

namespace frond {
namespace {

using ::testing::HasSubstr;

std::string ErrorOf(const std::string& text, const std::vector<std::string>& sets = {}) {
  const auto config = ParseConfig(text, "run.textproto", sets);
  EXPECT_FALSE(config.ok()) << text;
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  const std::string message(config.status().message());
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  return message;
}

TEST(ConfigReader, ReadsFieldsAndKeepsDefaults) {
  const auto config = ParseConfig(
      "work_dir: 'runs/a'  # where\nsteps: 10\nmodel { preset: 'mt5-small' compute: BF16 }\n"
      "data { source { path: 'a.jsonl' path: 'b.jsonl' weight: 2 } }\n",
      "run.textproto", {});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->work_dir(), "runs/a");
  EXPECT_EQ(config->steps(), 10);
  EXPECT_EQ(config->model().compute(), config::BF16);
  EXPECT_EQ(config->data().source(0).path_size(), 2);
  EXPECT_EQ(config->seed(), 42u);
  EXPECT_FALSE(config->has_seed());
}

TEST(ConfigReader, TextReadsBackEqual) {
  const auto config = ParseConfig(
      "work_dir: 'réunion \\n \\\"'\nmodel { dropout: 0.1 }\noptimizer { adamw { epsilon: 1e-8 } "
      "}\n"
      "data { source { path: '数据.jsonl' weight: 0.30000000000000004 } }\n",
      "run.textproto", {});
  ASSERT_TRUE(config.ok()) << config.status();
  const std::string text = ConfigToText(*config);
  EXPECT_THAT(text, HasSubstr("数据.jsonl"));
  const auto again = ParseConfig(text, "again", {});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(*config, *again)) << text;
}

TEST(ConfigReader, UnknownFieldNamesTheNearest) {
  EXPECT_EQ(ErrorOf("seed: 1\n  stpes: 10\n"),
            "run.textproto:2:3: unknown field \"stpes\" in message TrainConfig; did you mean "
            "\"steps\"?");
  EXPECT_EQ(ErrorOf("optimizer {\n  adafactor {\n    decay_exponnet: 0.8\n  }\n}\n"),
            "run.textproto:3:5: unknown field \"decay_exponnet\" in message Adafactor; did you "
            "mean \"decay_exponent\"?");
  EXPECT_EQ(ErrorOf("optimiser { adafactor {} }"),
            "run.textproto:1:1: unknown field \"optimiser\" in message TrainConfig; did you mean "
            "\"optimizer\"?");
}

TEST(ConfigReader, AFieldOfAnotherMessageIsNamedByItsPath) {
  EXPECT_EQ(
      ErrorOf("learning_rate: 0.1"),
      "run.textproto:1:1: unknown field \"learning_rate\" in message TrainConfig; did you mean "
      "\"schedule.learning_rate\"?");
  EXPECT_THAT(ErrorOf("model { seed: 1 }"), HasSubstr("it belongs at the top level of the config"));
}

TEST(ConfigReader, ErrorsStayOneShortLine) {
  EXPECT_LT(ErrorOf(std::string(5000, 'a') + ": 1").size(), 1000u);
  EXPECT_LT(ErrorOf("", {"work_dir\n" + std::string(5000, 'a') + "=1"}).size(), 1500u);
}

TEST(ConfigReader, UnknownEnumValueNamesTheNearest) {
  EXPECT_EQ(ErrorOf("model {\n  compute: BF61\n}"),
            "run.textproto:2:3: model.compute: unknown value \"BF61\"; did you mean \"BF16\"? (one "
            "of F32, BF16)");
  EXPECT_THAT(ErrorOf("schedule { kind: COSIN learning_rate: 1 }"),
              HasSubstr("schedule.kind: unknown value \"COSIN\"; did you mean \"COSINE\"?"));
  EXPECT_THAT(ErrorOf("model { compute: 7 }"), HasSubstr("one of F32, BF16"));
}

TEST(ConfigReader, WrongTypeSaysWhichIsRight) {
  EXPECT_THAT(ErrorOf("seed: 1\nsteps: 'ten'"),
              HasSubstr("run.textproto:2:8: steps takes a whole number ("));
  EXPECT_THAT(ErrorOf("seed: -1"), HasSubstr("seed takes a whole number, not negative"));
  EXPECT_THAT(ErrorOf("schedule { learning_rate: 'fast' }"),
              HasSubstr("1:27: schedule.learning_rate takes a number"));
  EXPECT_THAT(ErrorOf("data { packing: maybe }"),
              HasSubstr("1:8: data.packing takes true or false"));
  EXPECT_THAT(ErrorOf("data { packing: 2 }"), HasSubstr("data.packing takes true or false"));
  EXPECT_THAT(ErrorOf("work_dir: 5"), HasSubstr("1:11: work_dir takes text in quotes"));
  EXPECT_THAT(ErrorOf("batch { rows: 99999999999 }"),
              HasSubstr("batch.rows takes a whole number of 32 bits"));
  EXPECT_THAT(ErrorOf("model { compute: 'BF16' }"), HasSubstr("model.compute takes one of F32"));
  EXPECT_THAT(ErrorOf("optimizer: 3"), HasSubstr("optimizer takes fields in braces"));
}

TEST(ConfigReader, SyntaxErrorsSayWhere) {
  EXPECT_THAT(ErrorOf("steps 10"), HasSubstr("run.textproto:1:7: steps: Expected \":\""));
  EXPECT_THAT(ErrorOf("data {\n  source { path: 'a'\n"), HasSubstr("run.textproto:3:1: "));
  EXPECT_THAT(ErrorOf("work_dir: 'open"), HasSubstr("run.textproto:1:"));
  EXPECT_THAT(ErrorOf("steps: 1\nsteps: 2\n"), HasSubstr("run.textproto:2:1: steps is set twice"));
  EXPECT_THAT(ErrorOf("optimizer { adafactor {} adamw {} }"), HasSubstr("adafactor"));
}

TEST(ConfigReader, ReadsAFileAndNamesAMissingOne) {
  const std::string path = testing::TempDir() + "/config_reader_test.textproto";
  ASSERT_TRUE(WriteFileAtomically(path, "steps: 3\n").ok());
  const std::vector<std::string> sets = {"steps=4", "batch.rows=2"};
  const auto config = ReadConfig(path, sets);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->steps(), 4);
  EXPECT_EQ(config->batch().rows(), 2);
  ASSERT_TRUE(RemoveRecursively(path).ok());
  EXPECT_THAT(std::string(ReadConfig(path, {}).status().message()), HasSubstr(path));
}

}  // namespace
}  // namespace frond
