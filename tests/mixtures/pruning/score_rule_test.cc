// Rules that choose rows by a file of scores.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/hash.h"
#include "tests/mixtures/pruning/prune_fixture.h"

namespace frond {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::Not;

class ScoreRuleTest : public PruneTest {
 protected:
  ScoreRuleTest() : seed_(std::random_device{}()), babbler_(seed_) {
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed_));
  }

  void Add(const std::string& language, double score) {
    TestRow row = babbler_.Row();
    row.language = language;
    rows_.push_back(row);
    scores_.push_back(score);
  }

  // A line for each row of rows_, in no order.
  ScoreFile WriteScores(const std::string& name = "scores.jsonl") {
    std::vector<std::string> lines;
    for (size_t i = 0; i < rows_.size(); ++i) {
      std::string row = ToLine(rows_[i], static_cast<int64_t>(i));
      row.pop_back();
      const nlohmann::json json = {
          {"hash", HashToHex(Hash64(row))}, {"other", 1}, {"loss", scores_[i]}};
      lines.push_back(json.dump() + "\n");
    }
    std::shuffle(lines.begin(), lines.end(), std::mt19937_64(seed_));
    return {.path = Write(name, absl::StrJoin(lines, "")), .field = "loss"};
  }

  std::vector<int64_t> KeptBy(decltype(RuleOptions::how) how) {
    options_ = {
        .sources = {Source("rows", rows_)}, .rules = {Rule("rule", std::move(how))}, .threads = 2};
    const auto report = Run(options_);
    EXPECT_TRUE(report.ok()) << report.status();
    return Kept(options_, "rows");
  }

  std::string Error(decltype(RuleOptions::how) how) {
    options_ = {.sources = {Source("rows", rows_)}, .rules = {Rule("rule", std::move(how))}};
    const absl::Status status = Run(options_).status();
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("\n")));
    EXPECT_FALSE(PathExists(options_.out_dir + ".partial"));
    return std::string(status.message());
  }

  uint64_t seed_;
  Babbler babbler_;
  std::vector<TestRow> rows_;
  std::vector<double> scores_;
  PruneOptions options_;
};

TEST_F(ScoreRuleTest, KeepsTheLowestMiddleOrHighestOfEachLanguage) {
  for (const double score : {3.0, -1.0, 2.5, 7.0, 0.0, 4.0}) {
    Add("sw", score);
    Add("de", -score);
  }
  ScoreOptions options = {.scores = WriteScores(), .fraction = 1.0 / 3};
  EXPECT_THAT(KeptBy(options), ElementsAre(2, 7, 8, 11));
  EXPECT_THAT(Lines(options_.dropped_path)[0]["reason"],
              testing::Eq("loss 3 is not among the lowest 33.3333 %"));
  options.keep = ScoreOptions::Keep::kMiddle;
  EXPECT_THAT(KeptBy(options), ElementsAre(0, 1, 4, 5));
  options.keep = ScoreOptions::Keep::kHigh;
  EXPECT_THAT(KeptBy(options), ElementsAre(3, 6, 9, 10));
  options.per = ScoreOptions::Per::kAll;
  EXPECT_THAT(KeptBy(options), ElementsAre(0, 4, 6, 10));
  options.fraction = 0;
  EXPECT_TRUE(KeptBy(options).empty());
  options.fraction = 1;
  EXPECT_EQ(KeptBy(options).size(), rows_.size());
}

// As many rows as the fraction says, and exactly those that sorting gives.
TEST_F(ScoreRuleTest, AgreesWithSorting) {
  std::vector<std::string> languages = {"a", "b", "c"};
  for (int i = 0; i < 2000; ++i) {
    Add(languages[babbler_.Draw(3)], static_cast<double>(babbler_.Draw(500)) / 7 - 20);
  }
  const double fraction = 0.05 + 0.9 * static_cast<double>(babbler_.Draw(1000)) / 1000;
  std::vector<int64_t> expected;
  for (const std::string& language : languages) {
    std::vector<int64_t> ids;
    for (size_t i = 0; i < rows_.size(); ++i) {
      if (rows_[i].language == language) ids.push_back(static_cast<int64_t>(i));
    }
    std::stable_sort(ids.begin(), ids.end(), [&](int64_t a, int64_t b) {
      return scores_[static_cast<size_t>(a)] < scores_[static_cast<size_t>(b)];
    });
    const int64_t keep = std::llround(fraction * static_cast<double>(ids.size()));
    const auto first = ids.begin() + (static_cast<int64_t>(ids.size()) - keep) / 2;
    expected.insert(expected.end(), first, first + keep);
  }
  std::sort(expected.begin(), expected.end());
  const ScoreOptions options = {
      .scores = WriteScores(), .keep = ScoreOptions::Keep::kMiddle, .fraction = fraction};
  EXPECT_THAT(KeptBy(options), ElementsAreArray(expected));
}

TEST_F(ScoreRuleTest, CapsChooseByScore) {
  for (const double score : {0.5, -2.0, 1.5, -0.25, 0.0, 3.0}) Add("sw", score);
  CapOptions options = {
      .rows = 3, .choice = CapOptions::Choice::kLowestScore, .scores = WriteScores()};
  EXPECT_THAT(KeptBy(options), ElementsAre(1, 3, 4));
  options.choice = CapOptions::Choice::kHighestScore;
  EXPECT_THAT(KeptBy(options), ElementsAre(0, 2, 5));
}

TEST_F(ScoreRuleTest, BadScoresAreOneLine) {
  Add("sw", 1);
  Add("sw", 2);
  const auto error = [&](const std::string& text) {
    const ScoreFile scores = {.path = Write("bad.jsonl", text), .field = "loss"};
    return Error(ScoreOptions{.scores = scores});
  };
  EXPECT_THAT(error("{\"hash\": \"0123456789abcdef\", \"loss\": 1}\n\n[3]\n"),
              HasSubstr("bad.jsonl:3: expected a JSON object"));
  EXPECT_THAT(error("{\"hash\": \"0123\", \"loss\": 1}\n"), HasSubstr("16 hexadecimal digits"));
  EXPECT_THAT(error("{\"hash\": \"0123456789abcdex\", \"loss\": 1}\n"),
              HasSubstr("16 hexadecimal digits"));
  EXPECT_THAT(error("{\"hash\": \"0123456789abcdef\", \"loss\": null}\n"),
              HasSubstr("bad.jsonl:1: there is no number \"loss\""));
  EXPECT_THAT(error("\n"), HasSubstr("bad.jsonl' holds no scores"));
  EXPECT_THAT(error("{\"hash\": \"0123456789abcdef\", \"loss\": 1}\n"),
              testing::AllOf(HasSubstr("rows.jsonl:1: the row (hash "), HasSubstr("frond score")));
  EXPECT_THAT(Error(ScoreOptions{.scores = {.path = folder_ + "/none.jsonl", .field = "loss"}}),
              HasSubstr("none.jsonl"));
}

}  // namespace
}  // namespace frond
