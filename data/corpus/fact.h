// What the exercise writers hand over: candidate rows, each tied to the fact that it asks for.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace frond::corpus {

enum class Task {
  kTerritoryName,
  kLanguageName,
  kScriptName,
  kCurrencyName,
  kNumberWords,
  kOrdinalWords,
  kNumberFormat,
  kPercentFormat,
  kCurrencyAmount,
  kMonthOrder,
  kWeekdayOrder,
  kDateWords,
  kRelativeTime,
  kDuration,
  kUnitPhrase,
  kPluralCategory,
  kListJoin,
  kSortWords,
  kLetterCase,
  kAlphabet,
  kQuotation,
  kIdentifyLanguage,
};
inline constexpr int kNumTasks = static_cast<int>(Task::kIdentifyLanguage) + 1;

// The task_type written into the rows.
absl::string_view TaskName(Task task);
// Relative share of a language's rows that the task is given where it has enough facts.
double TaskWeight(Task task);
// True for tasks whose unseen facts cannot be inferred from seen ones.
bool IsNameTask(Task task);

struct Candidate {
  Task task;
  // All rows about one fact, whatever their direction and template, share this key and so a split.
  std::string fact;
  std::string template_id;
  std::string inputs;
  std::string targets;
  bool english_target = false;
  // The targets are words of the language by themselves, fit for "which language is this".
  bool is_phrase = false;
};

// Collects the candidates of one language, their texts cleaned; drops empty ones.
class FactSink {
 public:
  void Add(Candidate candidate);
  const std::vector<Candidate>& candidates() const { return candidates_; }
  std::vector<Candidate> Take() { return std::move(candidates_); }

 private:
  std::vector<Candidate> candidates_;
};

}  // namespace frond::corpus
