#include "eval/language_scores.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/base/check.h"
#include "core/base/human_numbers.h"
#include "core/base/text_table.h"
#include "eval/exact_match.h"

namespace frond {
namespace {

double Ratio(double sum, int64_t count) {
  return count == 0 ? 0 : sum / static_cast<double>(count);
}

// Calls f(number) for every count and sum of `score`, always in the same order; f may change it.
template <class Score, class F>
void ForEachSum(Score& score, const F& f) {
  f(score.examples);
  f(score.target_tokens);
  f(score.example_loss_sum);
  f(score.token_loss_sum);
  f(score.answers);
  f(score.exact_matches);
  f(score.baseline_exact_matches);
}

void AppendCounts(const Chrf& chrf, std::vector<double>& out) {
  for (const Chrf::OrderCounts& counts : chrf.counts()) {
    out.push_back(static_cast<double>(counts.hypothesis));
    out.push_back(static_cast<double>(counts.reference));
    out.push_back(static_cast<double>(counts.match));
  }
}

Chrf ChrfFromCounts(std::span<const double> numbers) {
  Chrf::Counts counts;
  for (size_t i = 0; i < counts.size(); ++i) {
    counts[i] = {.hypothesis = static_cast<int64_t>(numbers[3 * i]),
                 .reference = static_cast<int64_t>(numbers[3 * i + 1]),
                 .match = static_cast<int64_t>(numbers[3 * i + 2])};
  }
  Chrf chrf;
  chrf.AddCounts(counts);
  return chrf;
}

constexpr size_t kScalarSums = 7;
constexpr size_t kChrfSums = 3 * Chrf::kMaxOrder;
constexpr size_t kSumsPerLanguage = kScalarSums + 2 * kChrfSums;

std::vector<std::string> TableRow(const std::string& name, const LanguageScore& score) {
  const auto if_any = [](int64_t count, const std::string& text) {
    return count == 0 ? std::string("-") : text;
  };
  const auto number = [](double value, int digits) {
    return absl::StrFormat("%.*f", digits, value);
  };
  return {name,
          WithThousands(std::max(score.examples, score.answers)),
          if_any(score.examples, number(score.ExampleLoss(), 4)),
          if_any(score.answers, number(100 * score.ExactMatch(), 1)),
          if_any(score.answers, number(100 * score.BaselineExactMatch(), 1)),
          if_any(score.answers, number(score.chrf.Score(), 1)),
          if_any(score.answers, number(score.baseline_chrf.Score(), 1))};
}

}  // namespace

double LanguageScore::ExampleLoss() const { return Ratio(example_loss_sum, examples); }
double LanguageScore::TokenLoss() const { return Ratio(token_loss_sum, target_tokens); }
double LanguageScore::ExactMatch() const {
  return Ratio(static_cast<double>(exact_matches), answers);
}
double LanguageScore::BaselineExactMatch() const {
  return Ratio(static_cast<double>(baseline_exact_matches), answers);
}

void LanguageScore::Add(const LanguageScore& other) {
  examples += other.examples;
  target_tokens += other.target_tokens;
  example_loss_sum += other.example_loss_sum;
  token_loss_sum += other.token_loss_sum;
  answers += other.answers;
  exact_matches += other.exact_matches;
  baseline_exact_matches += other.baseline_exact_matches;
  chrf.Add(other.chrf);
  baseline_chrf.Add(other.baseline_chrf);
}

void MostFrequentTarget::Counter::Add(absl::string_view target) {
  const std::string key(target);
  const int64_t count = ++counts[key];
  if (count > best_count || (count == best_count && key < best)) {
    best = key;
    best_count = count;
  }
}

void MostFrequentTarget::Add(absl::string_view language, absl::string_view target) {
  languages_[std::string(language)].Add(target);
  all_.Add(target);
}

const std::string& MostFrequentTarget::Answer(absl::string_view language) const {
  const auto found = languages_.find(std::string(language));
  return found == languages_.end() ? all_.best : found->second.best;
}

LanguageScores::LanguageScores(std::vector<std::string> languages)
    : languages_(std::move(languages)) {
  std::sort(languages_.begin(), languages_.end());
  languages_.erase(std::unique(languages_.begin(), languages_.end()), languages_.end());
  scores_.resize(languages_.size());
}

LanguageScore& LanguageScores::Find(absl::string_view language) {
  const auto at = std::lower_bound(languages_.begin(), languages_.end(), language);
  CHECK(at != languages_.end() && *at == language) << "no language " << language;
  return scores_[static_cast<size_t>(at - languages_.begin())];
}

const LanguageScore& LanguageScores::score(absl::string_view language) const {
  return const_cast<LanguageScores*>(this)->Find(language);
}

void LanguageScores::AddLoss(absl::string_view language, int64_t target_tokens,
                             double token_losses_sum) {
  CHECK_GT(target_tokens, 0);
  LanguageScore& score = Find(language);
  ++score.examples;
  score.target_tokens += target_tokens;
  score.example_loss_sum += token_losses_sum / static_cast<double>(target_tokens);
  score.token_loss_sum += token_losses_sum;
}

void LanguageScores::AddAnswer(absl::string_view language, absl::string_view answer,
                               absl::string_view reference, absl::string_view baseline_answer) {
  LanguageScore& score = Find(language);
  ++score.answers;
  score.exact_matches += IsExactMatch(answer, reference);
  score.baseline_exact_matches += IsExactMatch(baseline_answer, reference);
  score.chrf.Add(answer, reference);
  score.baseline_chrf.Add(baseline_answer, reference);
}

std::vector<double> LanguageScores::Sums() const {
  std::vector<double> sums;
  sums.reserve(scores_.size() * kSumsPerLanguage);
  for (const LanguageScore& score : scores_) {
    ForEachSum(score, [&](const auto& number) { sums.push_back(static_cast<double>(number)); });
    AppendCounts(score.chrf, sums);
    AppendCounts(score.baseline_chrf, sums);
  }
  return sums;
}

void LanguageScores::SetSums(std::span<const double> sums) {
  CHECK_EQ(sums.size(), scores_.size() * kSumsPerLanguage);
  for (LanguageScore& score : scores_) {
    size_t at = 0;
    ForEachSum(score,
               [&]<class Number>(Number& number) { number = static_cast<Number>(sums[at++]); });
    score.chrf = ChrfFromCounts(sums.subspan(at, kChrfSums));
    score.baseline_chrf = ChrfFromCounts(sums.subspan(at + kChrfSums, kChrfSums));
    sums = sums.subspan(kSumsPerLanguage);
  }
}

LanguageScore LanguageScores::Total() const {
  LanguageScore total;
  for (const LanguageScore& score : scores_) total.Add(score);
  return total;
}

MacroScore LanguageScores::Macro() const {
  MacroScore macro;
  int64_t with_loss = 0, with_answer = 0;
  for (const LanguageScore& score : scores_) {
    with_loss += score.examples > 0;
    with_answer += score.answers > 0;
    macro.example_loss += score.ExampleLoss();
    macro.exact_match += score.ExactMatch();
    macro.chrf += score.chrf.Score();
    macro.baseline_exact_match += score.BaselineExactMatch();
    macro.baseline_chrf += score.baseline_chrf.Score();
  }
  macro.languages = with_answer > 0 ? with_answer : with_loss;
  macro.example_loss = Ratio(macro.example_loss, with_loss);
  for (double* sum :
       {&macro.exact_match, &macro.chrf, &macro.baseline_exact_match, &macro.baseline_chrf}) {
    *sum = Ratio(*sum, with_answer);
  }
  return macro;
}

std::string LanguageScores::ToTable(absl::string_view indent, const std::string& title) const {
  TextTable table({{.title = title, .align = TextTable::Align::kLeft},
                   {.title = "examples"},
                   {.title = "loss"},
                   {.title = "exact %"},
                   {.title = "(frequent)"},
                   {.title = "chrF"},
                   {.title = "(frequent)"}});
  for (size_t i = 0; i < languages_.size(); ++i) {
    if (scores_[i].examples + scores_[i].answers > 0) {
      table.AddRow(TableRow(languages_[i], scores_[i]));
    }
  }
  table.AddRule();
  table.AddRow(TableRow("all", Total()));
  return table.ToString(indent);
}

}  // namespace frond
