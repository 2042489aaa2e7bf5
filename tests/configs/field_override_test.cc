#include "configs/field_override.h"

#include <string>

#include "configs/train.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace frond {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FieldOverride : public testing::Test {
 protected:
  void Set(const std::string& assignment) {
    const absl::Status status = ApplyOverride(assignment, config_);
    EXPECT_TRUE(status.ok()) << status;
  }
  std::string Error(const std::string& assignment) {
    const absl::Status status = ApplyOverride(assignment, config_);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << assignment;
    const std::string prefix = "--set " + assignment + ": ";
    EXPECT_THAT(std::string(status.message()), testing::StartsWith(prefix));
    return std::string(status.message()).substr(prefix.size());
  }
  config::TrainConfig config_;
};

TEST_F(FieldOverride, SetsEveryType) {
  Set("seed=18446744073709551615");
  Set("steps=-3");
  Set("threads=7");
  Set("model.compute=BF16");
  Set("model.dropout=0.25");
  Set("data.packing=false");
  Set("schedule.learning_rate=3e-4");
  Set("work_dir=runs/a b=c");
  EXPECT_EQ(config_.seed(), 18446744073709551615u);
  EXPECT_EQ(config_.steps(), -3);
  EXPECT_EQ(config_.threads(), 7);
  EXPECT_EQ(config_.model().compute(), config::BF16);
  EXPECT_EQ(config_.model().dropout(), 0.25f);
  EXPECT_TRUE(config_.data().has_packing());
  EXPECT_FALSE(config_.data().packing());
  EXPECT_EQ(config_.schedule().learning_rate(), 3e-4);
  EXPECT_EQ(config_.work_dir(), "runs/a b=c");
}

TEST_F(FieldOverride, ReachesListsByIndexAndAppends) {
  Set("data.source[0].weight=2");
  Set("data.source[0].path=a.jsonl");
  Set("data.source[0].path[1]=b.jsonl");
  Set("data.source[1].path[0]=c.jsonl");
  Set("data.source[0].path[0]=d.jsonl");
  ASSERT_EQ(config_.data().source_size(), 2);
  EXPECT_EQ(config_.data().source(0).weight(), 2);
  EXPECT_THAT(config_.data().source(0).path(), ElementsAre("d.jsonl", "b.jsonl"));
  Set("data.source[0].path=e.jsonl");
  EXPECT_THAT(config_.data().source(0).path(), ElementsAre("e.jsonl"));
  Set("data.source[1]={path: 'f' weight: 3}");
  EXPECT_EQ(config_.data().source(1).weight(), 3);
  EXPECT_THAT(config_.data().source(1).path(), ElementsAre("f"));
}

TEST_F(FieldOverride, AMemberOfAOneofReplacesTheOther) {
  Set("optimizer.adafactor.decay_exponent=0.9");
  EXPECT_TRUE(config_.optimizer().has_adafactor());
  Set("optimizer.adamw={beta2: 0.95}");
  EXPECT_TRUE(config_.optimizer().has_adamw());
  EXPECT_FALSE(config_.optimizer().has_adafactor());
  EXPECT_EQ(config_.optimizer().adamw().beta2(), 0.95);
}

TEST_F(FieldOverride, UnknownNamesAnswerWithTheNearest) {
  EXPECT_EQ(Error("stpes=3"),
            "unknown field \"stpes\" in message TrainConfig; did you mean \"steps\"?");
  EXPECT_EQ(Error("optimizer.adafactor.decay=0.9"),
            "unknown field \"decay\" in message Adafactor; did you mean \"decay_exponent\"?");
  EXPECT_EQ(Error("data.sources[0].weight=1"),
            "unknown field \"sources\" in message Data; did you mean \"source\"?");
  EXPECT_EQ(Error("model.compute=bf16"),
            "unknown value \"bf16\"; did you mean \"BF16\"? (one of F32, BF16)");
}

TEST_F(FieldOverride, WrongTypesSayWhatIsRight) {
  EXPECT_EQ(Error("steps=ten"), "steps takes a whole number, not \"ten\"");
  EXPECT_EQ(Error("steps="), "steps takes a whole number, not \"\"");
  EXPECT_EQ(Error("seed=-1"), "seed takes a whole number, not negative, not \"-1\"");
  EXPECT_EQ(Error("threads=4000000000"),
            "threads takes a whole number of 32 bits, not \"4000000000\"");
  EXPECT_EQ(Error("model.dropout=much"), "dropout takes a number, not \"much\"");
  EXPECT_EQ(Error("data.packing=yes"), "packing takes true or false, not \"yes\"");
  EXPECT_THAT(Error("optimizer=adamw"), HasSubstr("takes fields in braces"));
  EXPECT_THAT(Error("optimizer.adamw={beta3: 1}"), HasSubstr("beta3"));
}

TEST_F(FieldOverride, WrongPathsSayWhatIsRight) {
  EXPECT_EQ(Error("steps"), "should be path=value, such as batch.rows=64");
  EXPECT_THAT(Error("=3"), HasSubstr("unknown field \"\""));
  EXPECT_THAT(Error("data..window=3"), HasSubstr("unknown field \"\""));
  EXPECT_EQ(Error("steps.x=3"), "steps takes a whole number; it has no fields of its own");
  EXPECT_EQ(Error("steps[0]=3"), "steps is no list; leave out the index");
  EXPECT_EQ(Error("data.source.weight=2"),
            "source is a list: say which element, such as source[0]");
  EXPECT_EQ(Error("data.source[1].weight=2"),
            "source has 0 elements; the largest index is 0, which appends one");
  EXPECT_EQ(Error("data.source[-1].weight=2"), "\"source[-1]\" should be a name or name[0]");
  EXPECT_EQ(Error("data.source[0.weight=2"), "\"source[0\" should be a name or name[0]");
}

}  // namespace
}  // namespace frond
