#include "launch/prune_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/data/test_files.h"

namespace frond {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class PruneConfigTest : public DataTest {
 protected:
  PruneConfigTest() : rows_(Write("wiki.en.jsonl", "{}\n")) {}

  absl::StatusOr<PruneOptions> Parse(const std::string& rest) const {
    return ParsePruneConfig("out_dir: \"out/\"\nsource { path: \"" + rows_ + "\" }\n" + rest, "f");
  }
  std::string Error(const std::string& rest) const {
    const auto options = Parse(rest);
    EXPECT_FALSE(options.ok());
    EXPECT_EQ(options.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(options.status().message());
  }

  std::string rows_;
};

TEST_F(PruneConfigTest, NamesAreMadeWhereNoneIsGiven) {
  const auto options = Parse(
      "rule { urls {} } rule { name: \"mine\" urls { max_share: 0.5 side: TARGETS } language: "
      "\"sw\" } rule { urls {} }");
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->out_dir, "out/");
  EXPECT_EQ(options->sources[0].name, "wiki");
  EXPECT_TRUE(options->sources[0].layout.allow_empty_targets);
  ASSERT_EQ(options->rules.size(), 3u);
  EXPECT_EQ(options->rules[0].name, "urls");
  EXPECT_EQ(options->rules[2].name, "urls 2");
  EXPECT_EQ(options->rules[1].settings, "language: \"sw\" urls { side: TARGETS max_share: 0.5 }");
  EXPECT_THAT(options->rules[1].languages, ElementsAre("sw"));
  const auto& how = std::get<ShareOptions>(options->rules[1].how);
  EXPECT_EQ(how.side, Side::kTargets);
  EXPECT_EQ(how.max_share, 0.5);
}

// Else a pruning that is kept would be taken for that of a file that has changed since.
TEST_F(PruneConfigTest, SettingsKnowTheContentOfScores) {
  std::set<std::string> settings;
  for (const std::string text : {"", "{\"hash\": \"0123456789abcdef\", \"loss\": 1}\n",
                                 "{\"hash\": \"0123456789abcdef\", \"loss\": 2}\n"}) {
    std::string path = folder_ + "/scores.jsonl";
    if (!text.empty()) path = Write("scores.jsonl", text);
    const std::string scores = " scores { path: \"" + path + "\" }";
    for (const std::string& rule : {"score { fraction: 1" + scores + "}",
                                    "cap { rows: 1 choice: LOWEST_SCORE" + scores + "}"}) {
      const auto options = Parse("rule { " + rule + "}");
      ASSERT_TRUE(options.ok()) << options.status();
      settings.insert(options->rules[0].settings);
    }
  }
  EXPECT_EQ(settings.size(), 6u);
}

TEST_F(PruneConfigTest, ErrorsNameWhatIsWrong) {
  EXPECT_THAT(Error("rule { url {} }"),
              testing::AllOf(StartsWith("f:3:"), HasSubstr("did you mean \"urls\"?")));
  EXPECT_THAT(Error("rule { urls { max_shar: 1 } }"), HasSubstr("max_share"));
  EXPECT_THAT(Error("rule { urls { max_share: 2 } }"), HasSubstr("urls.max_share is 2"));
  EXPECT_THAT(Error("rule { name: \"x\" }"), HasSubstr("rule 'x' has no kind"));
  EXPECT_THAT(Error(""), HasSubstr("there is no rule"));
  EXPECT_THAT(Error("rule { cap {} }"), HasSubstr("cap.rows is 0"));
  EXPECT_THAT(Error("rule { score { fraction: 0.5 } }"), HasSubstr("score.scores.path is missing"));
  EXPECT_THAT(Error("rule { score { scores { path: \"s\" } } }"),
              HasSubstr("score.fraction is missing"));
  EXPECT_THAT(Error("rule { score { scores { path: \"s\" } fraction: -1 } }"),
              HasSubstr("score.fraction is -1"));
  EXPECT_THAT(Error("rule { cap { rows: 2 choice: LOWEST_SCORE } }"),
              HasSubstr("cap.scores.path is missing"));
  EXPECT_THAT(Error("rule { cap { rows: 2 scores { path: \"s\" } } }"),
              HasSubstr("cap.choice is not by score"));
  EXPECT_THAT(Error("rule { median_target { min_words: 0 } }"),
              HasSubstr("median_target.min_words is 0; it must lie between"));
  EXPECT_THAT(Error("rule { near_duplicate_templates { sample: 8 min_inputs: 9 } }"),
              HasSubstr("near_duplicate_templates.min_inputs is 9; it must lie between 2 and 8"));
  EXPECT_THAT(Error("rule { near_duplicate_templates { threshold: 1.5 } }"),
              HasSubstr("near_duplicate_templates.threshold is 1.5"));
  EXPECT_THAT(Error("rule { length { min_ratio: 3 max_ratio: 2 } }"), HasSubstr("min <= max"));
  EXPECT_THAT(Error("rule { name: \"a\" urls {} } rule { name: \"a\" code {} }"),
              HasSubstr("two rules are called 'a'"));
  EXPECT_THAT(Error("source { path: \"" + rows_ + "\" } rule { urls {} }"),
              HasSubstr("two sources are called 'wiki'"));
  EXPECT_THAT(Error("source { name: \"a/b\" path: \"" + rows_ + "\" } rule { urls {} }"),
              HasSubstr("cannot name a source"));
  EXPECT_THAT(
      Error("source { name: \"raw\" path: \"" + rows_ +
            "\" template { id: \"t\" inputs: \"{a}\" targets: \"{b}\" } } rule { urls {} }"),
      HasSubstr("has templates, and rules and scores read the texts"));
  const auto absent = Parse("source { path: \"/nowhere/*.jsonl\" } rule { urls {} }");
  EXPECT_THAT(std::string(absent.status().message()), HasSubstr("no file matches"));
}

}  // namespace
}  // namespace frond
