// Rules about whole templates find the ones that were planted: all of them, and no others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/mixtures/pruning/prune_fixture.h"

namespace frond {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAreArray;

// Texts of templates for question answering as people write them; no two are near.
constexpr const char* kWordings[] = {
    "Answer the question based on the passage.\n\nPassage: {c}\nQuestion: {q}\nAnswer:",
    "I have been reading this text: {c}\nNow tell me: {q}",
    "Given the context below, say what the answer to \"{q}\" is.\n{c}",
    "{c}\n\nWith reference to the above, {q}",
    "A teacher asks: {q}\nThe pupil looks into the book: {c}\nWhat does the pupil say?",
    "Q: {q}\n\nContext: {c}\n\nA:",
    "{q}\nYou will find it somewhere in here: {c}",
    "Extract the words that answer {q} from the paragraph {c} and write nothing else.",
    "Soma kifungu hiki kisha ujibu swali linalofuata: {c} Swali: {q}",
    "Lies den Abschnitt und beantworte die Frage. {c} Die Frage lautet: {q}",
};

class TemplateRulesTest : public PruneTest {
 protected:
  TemplateRulesTest() : seed_(std::random_device{}()), babbler_(seed_) {
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed_));
  }

  std::string Fill(const std::string& wording) {
    return absl::StrReplaceAll(wording, {{"{q}", babbler_.Sentence(5 + babbler_.Draw(5))},
                                         {"{c}", babbler_.Sentence(40 + babbler_.Draw(60))}});
  }

  void AddRows(const std::string& wording, size_t count, TestRow row) {
    for (size_t i = 0; i < count; ++i) {
      row.inputs = Fill(wording);
      row.targets = babbler_.Sentence(3);
      rows_.push_back(row);
    }
  }

  // Prunes rows_, shuffled, and returns "dataset template language" of what lost rows; fails where
  // such a thing lost some of its rows only.
  std::set<std::string> Lost(decltype(RuleOptions::how) how, int threads = 2) {
    std::vector<TestRow> rows = rows_;
    std::shuffle(rows.begin(), rows.end(), std::mt19937_64(seed_));
    options_ = {.sources = {Source("rows", rows)},
                .rules = {Rule("rule", std::move(how))},
                .threads = threads};
    const auto report = Run(options_);
    EXPECT_TRUE(report.ok()) << report.status();
    std::set<std::string> lost, left;
    const auto dropped = Dropped(options_);
    for (size_t i = 0; i < rows.size(); ++i) {
      const bool gone = dropped.count({"rows", static_cast<int64_t>(i)}) > 0;
      (gone ? lost : left)
          .insert(
              absl::StrCat(rows[i].dataset_name, " ", rows[i].template_id, " ", rows[i].language));
    }
    for (const std::string& group : lost) EXPECT_EQ(left.count(group), 0u) << group;
    return lost;
  }

  std::string FirstReason() const { return Lines(options_.dropped_path).front()["reason"]; }

  uint64_t seed_;
  Babbler babbler_;
  std::vector<TestRow> rows_;
  PruneOptions options_;
};

TEST_F(TemplateRulesTest, MedianTargetsOfAWordAreFoundAndNothingElse) {
  std::set<std::string> planted;
  for (int t = 0; t < 60; ++t) {
    TestRow row = babbler_.Row();
    row.template_id = absl::StrCat("t", t);
    row.dataset_name = absl::StrCat("d", babbler_.Draw(3));
    const bool is_bad = t % 4 == 0;
    if (is_bad) planted.insert(absl::StrCat(row.dataset_name, " ", row.template_id, " sw"));
    // A third of the rows is of the other kind: the median is not moved.
    for (size_t i = 0; i < 30; ++i) {
      row.targets = is_bad == (i % 3 != 0) ? babbler_.Word() + "." : babbler_.Sentence(4);
      rows_.push_back(row);
    }
  }
  EXPECT_THAT(Lost(MedianTargetOptions{}), UnorderedElementsAreArray(planted));
  EXPECT_THAT(FirstReason(), HasSubstr("has targets of 1 words (median), at least 2"));
}

TEST_F(TemplateRulesTest, WordsOfScriptsWithoutSpacesCount) {
  const auto add = [&](const std::string& name, const std::string& language,
                       const std::string& target) {
    for (int i = 0; i < 5; ++i) {
      rows_.push_back({.inputs = babbler_.Sentence(8),
                       .targets = target,
                       .language = language,
                       .template_id = name,
                       .dataset_name = "d"});
    }
  };
  add("sentence", "zh", "我们明天去图书馆看书。");
  add("sentence", "th", "พรุ่งนี้เราจะไปห้องสมุด");
  add("sentence", "sw", "Kesho tutakwenda.");
  add("label", "zh", "猫");
  add("label", "th", "แมว");
  add("label", "sw", "maktaba");
  add("", "sw", "maktaba");  // no template: not for this rule
  EXPECT_THAT(Lost(MedianTargetOptions{.per = PerTemplate::kTemplateAndLanguage}),
              ElementsAre("d label sw", "d label th", "d label zh"));
}

TEST_F(TemplateRulesTest, MedianIsOfAllLanguagesOrOfEach) {
  TestRow row{.template_id = "t", .dataset_name = "d"};
  for (int i = 0; i < 9; ++i) {
    row.inputs = babbler_.Sentence(9);
    row.language = i < 4 ? "en" : "sw";
    row.targets = i < 4 ? "yes" : "ndiyo kabisa";
    rows_.push_back(row);
  }
  EXPECT_THAT(Lost(MedianTargetOptions{}), IsEmpty());
  EXPECT_THAT(Lost(MedianTargetOptions{.per = PerTemplate::kTemplateAndLanguage}),
              ElementsAre("d t en"));
  rows_.push_back(rows_.front());  // 5 of 1 word and 5 of 2: a median of 1.5
  EXPECT_THAT(Lost(MedianTargetOptions{}), ElementsAre("d t en", "d t sw"));
  EXPECT_THAT(Lost(MedianTargetOptions{.min_words = 1.5}), IsEmpty());
}

// A wording that people would call the same.
std::string NearlyTheSame(std::string text, size_t how) {
  switch (how) {
    case 0:  // other breaks
      return absl::StrReplaceAll(text, {{"\n", "\n\n"}, {": {", ":\n{"}});
    case 1:  // other case
      for (char& c : text) c = (c == 'q' || c == 'c') ? c : static_cast<char>(std::toupper(c));
      return text;
    default:  // a word more
      return "So: " + text;
  }
}

TEST_F(TemplateRulesTest, NearTemplatesAreFoundAndNothingElse) {
  std::set<std::string> planted;
  for (const std::string language : {"sw", "de"}) {
    for (size_t t = 0; t < std::size(kWordings); ++t) {
      const std::string name = absl::StrCat("t", t);
      AddRows(kWordings[t], 60, {.language = language, .template_id = name, .dataset_name = "d"});
      // Too short to tell, or too small a part for a word more.
      if (t == 5) continue;
      const size_t how = babbler_.Draw(std::string(kWordings[t]).size() > 60 ? 3 : 2);
      AddRows(NearlyTheSame(kWordings[t], how), 40,
              {.language = language, .template_id = name + "-near", .dataset_name = "d"});
      planted.insert(absl::StrCat("d ", name, "-near ", language));
      // The same words in another dataset are no duplicate.
      AddRows(kWordings[t], 20, {.language = language, .template_id = name, .dataset_name = "e"});
    }
  }
  // Templates without text of their own cannot be told apart and stay.
  AddRows("{q} {c}", 40, {.template_id = "bare", .dataset_name = "d"});
  AddRows("{c}\n{q}", 40, {.template_id = "bare2", .dataset_name = "d"});
  EXPECT_THAT(Lost(NearTemplatesOptions{}), UnorderedElementsAreArray(planted));
  EXPECT_THAT(FirstReason(), HasSubstr("-near is nearly t"));
  const std::string bytes = AllBytes(options_);
  Lost(NearTemplatesOptions{}, /*threads=*/1);
  EXPECT_EQ(AllBytes(options_), bytes);
}

TEST_F(TemplateRulesTest, NearTemplatesKeepTheLargerAndThenTheFirst) {
  AddRows(kWordings[0], 20, {.template_id = "b", .dataset_name = "d"});
  AddRows(kWordings[0], 21, {.template_id = "c", .dataset_name = "d"});
  AddRows(kWordings[0], 20, {.template_id = "a", .dataset_name = "d"});
  EXPECT_THAT(Lost(NearTemplatesOptions{}), ElementsAre("d a sw", "d b sw"));
  rows_.erase(rows_.begin() + 20);
  EXPECT_THAT(Lost(NearTemplatesOptions{}), ElementsAre("d b sw", "d c sw"));
  // In languages that only one of them has there is nothing to compare.
  for (TestRow& row : rows_) row.language = row.template_id == "a" ? "sw" : "de";
  EXPECT_THAT(Lost(NearTemplatesOptions{}), ElementsAre("d c de"));
}

TEST_F(TemplateRulesTest, NearTemplatesOfOneLanguageCanGoAlone) {
  AddRows(kWordings[0], 30, {.language = "en", .template_id = "a", .dataset_name = "d"});
  AddRows(kWordings[0], 20, {.language = "en", .template_id = "b", .dataset_name = "d"});
  AddRows(kWordings[8], 30, {.language = "sw", .template_id = "a", .dataset_name = "d"});
  AddRows(kWordings[9], 20, {.language = "sw", .template_id = "b", .dataset_name = "d"});
  EXPECT_THAT(Lost(NearTemplatesOptions{}), IsEmpty());
  EXPECT_THAT(Lost(NearTemplatesOptions{.per = PerTemplate::kTemplateAndLanguage}),
              ElementsAre("d b en"));
}

}  // namespace
}  // namespace frond
