#include "eval/language_scores.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace frond {
namespace {

constexpr double kTolerance = 1e-12;

TEST(LanguageScoresTest, MeansOfLossesAndAnswers) {
  LanguageScores scores({"fr", "de", "fr", "sw"});
  EXPECT_THAT(scores.languages(), testing::ElementsAre("de", "fr", "sw"));
  scores.AddLoss("fr", 2, 6);
  scores.AddLoss("fr", 8, 8);
  scores.AddLoss("de", 1, 5);
  scores.AddAnswer("fr", " oui", "oui", "non");
  scores.AddAnswer("fr", "oui", "non", "non");
  scores.AddAnswer("de", "ja", "ja", "ja");

  EXPECT_NEAR(scores.score("fr").ExampleLoss(), (3.0 + 1.0) / 2, kTolerance);
  EXPECT_NEAR(scores.score("fr").TokenLoss(), 14.0 / 10, kTolerance);
  EXPECT_NEAR(scores.score("fr").ExactMatch(), 0.5, kTolerance);
  EXPECT_NEAR(scores.Total().ExampleLoss(), 9.0 / 3, kTolerance);
  EXPECT_EQ(scores.Total().exact_matches, 2);

  const MacroScore macro = scores.Macro();
  EXPECT_EQ(macro.languages, 2);  // sw has no examples
  EXPECT_NEAR(macro.example_loss, (2.0 + 5.0) / 2, kTolerance);
  EXPECT_NEAR(macro.exact_match, (0.5 + 1.0) / 2, kTolerance);
  EXPECT_NEAR(macro.baseline_exact_match, (0.5 + 1.0) / 2, kTolerance);
  EXPECT_NEAR(macro.chrf, (scores.score("fr").chrf.Score() + 100) / 2, kTolerance);
}

TEST(LanguageScoresTest, SumsOfTwoRanksMakeTheWholeTable) {
  LanguageScores whole({"fr", "de"}), first({"de", "fr"}), second({"fr", "de"});
  first.AddLoss("fr", 3, 1.5);
  second.AddLoss("de", 2, 0.5);
  second.AddAnswer("fr", "bonjour tout le monde", "bonjour le monde", "salut");
  whole.AddLoss("fr", 3, 1.5);
  whole.AddLoss("de", 2, 0.5);
  whole.AddAnswer("fr", "bonjour tout le monde", "bonjour le monde", "salut");

  std::vector<double> sums = first.Sums();
  const std::vector<double> others = second.Sums();
  ASSERT_EQ(sums.size(), others.size());
  for (size_t i = 0; i < sums.size(); ++i) sums[i] += others[i];
  first.SetSums(sums);
  EXPECT_EQ(first.Sums(), whole.Sums());
  EXPECT_EQ(first.ToTable(), whole.ToTable());
  EXPECT_GT(first.score("fr").chrf.Score(), 50);
}

TEST(LanguageScoresTest, TableSaysWhatIsMissing) {
  LanguageScores scores({"fr", "de"});
  scores.AddLoss("fr", 2, 6);
  EXPECT_EQ(scores.ToTable(),
            "language  examples    loss  exact %  (frequent)  chrF  (frequent)\n"
            "--------  --------  ------  -------  ----------  ----  ----------\n"
            "fr               1  3.0000        -           -     -           -\n"
            "--------  --------  ------  -------  ----------  ----  ----------\n"
            "all              1  3.0000        -           -     -           -\n");
}

TEST(MostFrequentTargetTest, CountsPerLanguageAndBreaksTiesByOrder) {
  MostFrequentTarget frequent;
  EXPECT_EQ(frequent.Answer("fr"), "");
  for (const char* target : {"b", "a", "c", "c", "b"}) frequent.Add("fr", target);
  EXPECT_EQ(frequent.Answer("fr"), "b");
  frequent.Add("de", "c");
  EXPECT_EQ(frequent.Answer("de"), "c");
  EXPECT_EQ(frequent.Answer("sw"), "c");
}

}  // namespace
}  // namespace frond
