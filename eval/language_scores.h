// Losses and answers per language, and what a model must beat: answering every prompt of a language
// with that language's most frequent training target.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "eval/chrf.h"

namespace frond {

// Sums over the examples of one language.
struct LanguageScore {
  // Examples whose loss was computed.
  int64_t examples = 0;
  int64_t target_tokens = 0;
  double example_loss_sum = 0;  // of each example's mean loss per target token
  double token_loss_sum = 0;    // of each target token's loss

  // Examples that were answered.
  int64_t answers = 0;
  int64_t exact_matches = 0;
  int64_t baseline_exact_matches = 0;
  Chrf chrf;
  Chrf baseline_chrf;

  // Means over the sums; 0 where nothing was counted. Shares are 0 .. 1, chrF 0 .. 100.
  double ExampleLoss() const;
  double TokenLoss() const;
  double ExactMatch() const;
  double BaselineExactMatch() const;

  void Add(const LanguageScore& other);
};

// Means of one group of languages: every language counts the same.
struct MacroScore {
  int64_t languages = 0;  // with at least one answer (or, where none has one, with a loss)
  double example_loss = 0;
  double exact_match = 0;
  double chrf = 0;
  double baseline_exact_match = 0;
  double baseline_chrf = 0;
};

// Finds the target that a language's training examples have most often.
class MostFrequentTarget {
 public:
  void Add(absl::string_view language, absl::string_view target);
  // Ties go to the target that sorts first. A language without training examples gets the most
  // frequent target of all languages; empty where nothing was added.
  const std::string& Answer(absl::string_view language) const;

 private:
  struct Counter {
    std::map<std::string, int64_t, std::less<>> counts;
    std::string best;
    int64_t best_count = 0;
    void Add(absl::string_view target);
  };
  std::map<std::string, Counter, std::less<>> languages_;
  Counter all_;
};

// The table. Its languages are fixed when it is made, so that the tables of all ranks have the same
// layout and are joined by adding Sums().
class LanguageScores {
 public:
  // Sorted and without repetition afterwards.
  explicit LanguageScores(std::vector<std::string> languages);

  // One example: `token_losses_sum` over its `target_tokens` > 0 target tokens. The language must
  // be one of the table's.
  void AddLoss(absl::string_view language, int64_t target_tokens, double token_losses_sum);
  void AddAnswer(absl::string_view language, absl::string_view answer, absl::string_view reference,
                 absl::string_view baseline_answer);

  const std::vector<std::string>& languages() const { return languages_; }
  const LanguageScore& score(absl::string_view language) const;

  // All counts and sums as numbers, to be added up over ranks and given back by SetSums.
  std::vector<double> Sums() const;
  void SetSums(std::span<const double> sums);

  // Over all examples: every example counts the same.
  LanguageScore Total() const;
  MacroScore Macro() const;

  // A line per language that has examples or answers, then all together. `title` says what the
  // names of the lines are.
  std::string ToTable(absl::string_view indent = "", const std::string& title = "language") const;

 private:
  LanguageScore& Find(absl::string_view language);

  std::vector<std::string> languages_;
  std::vector<LanguageScore> scores_;  // one per language
};

}  // namespace frond
