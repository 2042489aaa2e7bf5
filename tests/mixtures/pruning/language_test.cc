// Rows of a wrong language are found, with stated precision and recall.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "data/corpus/corpus.h"
#include "data/line_reader.h"
#include "data/row_files.h"
#include "tests/mixtures/pruning/prune_fixture.h"

namespace frond {
namespace {

constexpr size_t kPlantEvery = 10;  // one row of so many declares another language

class LanguageTest : public PruneTest {
 protected:
  LanguageTest() : seed_(std::random_device{}()), babbler_(seed_) {
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed_));
  }

  // Precision of what the rule drops, and recall of planted rows that are long enough.
  Found Find(std::vector<TestRow> rows, const LanguageOptions& how) {
    std::set<std::string> all;
    for (const TestRow& row : rows) all.insert(row.language);
    const std::vector<std::string> languages(all.begin(), all.end());
    std::set<int64_t> planted, judged;
    for (size_t i = 0; i < rows.size(); ++i) {
      if (babbler_.Draw(kPlantEvery) != 0) continue;
      const std::string& other = languages[babbler_.Draw(languages.size())];
      if (other == rows[i].language) continue;
      rows[i].language = other;
      planted.insert(static_cast<int64_t>(i));
      if (Letters(rows[i].targets) > how.min_characters + 1) judged.insert(static_cast<int64_t>(i));
    }
    PruneOptions options = {
        .sources = {Source("rows", rows)}, .rules = {Rule("language", how)}, .threads = 2};
    const auto report = Run(options);
    EXPECT_TRUE(report.ok()) << report.status();
    const Found found = {.precision = Compare(options, "rows", "language", planted).precision,
                         .recall = Compare(options, "rows", "language", judged).recall};
    std::printf("%zu rows, %zu planted, %zu of them long: precision %.3f, recall %.3f\n",
                rows.size(), planted.size(), judged.size(), found.precision, found.recall);
    return found;
  }

  // Code points that are no ASCII signs or digits.
  static int64_t Letters(const std::string& text) {
    return std::count_if(text.begin(), text.end(),
                         [](char c) { return absl::ascii_isalpha(c) || (c & 0xC0) == 0xC0; });
  }

  uint64_t seed_;
  Babbler babbler_;
};

// Hard: names of places and currencies, much the same in many languages, a line or less.
TEST_F(LanguageTest, OfTheBuiltInCorpus) {
  const std::string folder = JoinPath(folder_, "corpus");
  const std::vector<std::string> languages = {
      "af", "ar", "bg", "bn", "ca", "cs", "da", "de", "el", "en", "es", "et", "fa", "fi",
      "fr", "he", "hi", "hr", "hu", "id", "is", "it", "ka", "lt", "lv", "nl", "no", "pl",
      "pt", "ro", "ru", "sk", "sl", "sq", "sv", "sw", "tr", "uk", "vi", "zu"};
  ASSERT_TRUE(WriteCorpus({.out_dir = folder, .languages = languages}).ok());
  std::vector<TestRow> rows;
  for (const nlohmann::json& row : Lines(JoinPath(folder, "train.jsonl"))) {
    rows.push_back({row["inputs"], row["targets"], row["language"]});
  }
  const Found found = Find(rows, {.min_characters = 15});
  EXPECT_GE(found.precision, 0.75);
  EXPECT_GE(found.recall, 0.92);
}

TEST_F(LanguageTest, OfSentences) {
  SKIP_WITHOUT_SHARED_DATA();
  const std::vector<std::string> pattern = {SharedData() + "/sib200/*.txt.gz"};
  const auto files = ExpandPaths(pattern);
  ASSERT_TRUE(files.ok()) << files.status();
  std::vector<TestRow> rows;
  for (const std::string& file : *files) {
    const std::string name = file.substr(file.rfind('/') + 1);
    const std::string text = ReadUnpacked(file);
    const std::vector<std::string> lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
    for (size_t i = 0; i < std::min<size_t>(lines.size(), 400); ++i) {
      rows.push_back({"x", lines[i], name.substr(0, name.find('.'))});
    }
  }
  const Found found = Find(rows, {.min_characters = 25});
  EXPECT_GE(found.precision, 0.97);
  EXPECT_GE(found.recall, 0.97);
}

TEST_F(LanguageTest, LearnsFromRowsThatTheRuleIsNotLimitedTo) {
  const auto sentence = [this](absl::string_view letters) {
    std::string text;
    for (int i = 0; i < 60; ++i) {
      text += i % 6 == 5 ? ' ' : letters[babbler_.Draw(letters.size())];
    }
    return text;
  };
  std::vector<TestRow> rows;
  for (int i = 0; i < 200; ++i) {
    rows.push_back({"x", sentence("abcde"), "one"});
    rows.push_back({"x", sentence("vwxyz"), "two"});
  }
  rows[100].language = "two";
  rows[101].language = "one";
  PruneOptions options = {.sources = {Source("a", rows)},
                          .rules = {Rule("language", LanguageOptions{})}};
  options.rules[0].languages = {"one"};
  ASSERT_TRUE(Run(options).ok());
  ASSERT_EQ(Dropped(options).size(), 1u);
  EXPECT_EQ(Dropped(options).begin()->first.second, 101);
  EXPECT_THAT(std::string(Lines(options.dropped_path)[0]["reason"]),
              testing::StartsWith("two explains it better than one by "));
  const std::string bytes = AllBytes(options);
  options.threads = 4;
  ASSERT_TRUE(Run(options).ok());
  EXPECT_EQ(AllBytes(options), bytes);
}

// What a language taught in one script is known by the rows of that script alone: the learner of
// the other one is full long before the last row comes.
TEST_F(LanguageTest, ALateRowInAnotherScriptDoesNotMarkThoseBeforeAsLearnt) {
  constexpr int kRows = 3000;
  // Two languages of the same letters, each of which likes half of them a little better.
  std::vector<std::string> letters;
  for (char c = '\x90'; c < '\xB0'; ++c) letters.push_back(std::string("\xD0") + c);
  std::vector<TestRow> rows;
  for (int i = 0; i < kRows; ++i) {
    std::string text;
    for (int n = 0; n < 80; ++n) {
      size_t letter = babbler_.Draw(32);
      if (letter / 16 != static_cast<size_t>(i % 2) && babbler_.Draw(3) == 0) letter ^= 16;
      text += n % 8 == 7 ? " " : letters[letter];
    }
    rows.push_back({"x", text, i % 2 == 0 ? "one" : "two"});
  }
  const auto drops = [&] {
    const LanguageOptions how = {.margin = 0.1, .training_characters = 20'000};
    PruneOptions options = {
        .sources = {Source("a", rows)}, .rules = {Rule("language", how)}, .threads = 2};
    EXPECT_TRUE(Run(options).ok());
    const auto dropped = Dropped(options);
    return std::count_if(dropped.begin(), dropped.end(),
                         [](const auto& row) { return row.first.second < kRows; });
  };
  const auto without = drops();
  rows.push_back({"x", "the quick brown fox jumps over the lazy dog", "one"});
  rows.push_back({"x", "the quick brown fox jumps over the lazy dog", "two"});
  const auto with = drops();
  std::printf("%td dropped, %td with a row of another script\n", without, with);
  EXPECT_LE(with, without + 10);  // what all learners share has changed a little
}

}  // namespace
}  // namespace frond
