#include "data/corpus/fact.h"

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "data/corpus/icu_text.h"

namespace frond::corpus {
namespace {

struct TaskTraits {
  absl::string_view name;
  double weight;
};

// Weights follow what a small model can carry over to unseen facts: composing phrases is the bulk,
// bare names are the rest.
constexpr std::array<TaskTraits, kNumTasks> kTraits = {{
    {"territory_name", 6},  {"language_name", 4},      {"script_name", 1.5}, {"currency_name", 4},
    {"number_words", 7},    {"ordinal_words", 2},      {"number_format", 5}, {"percent_format", 3},
    {"currency_amount", 4}, {"month_order", 5},        {"weekday_order", 5}, {"date_words", 10},
    {"relative_time", 8},   {"duration", 5},           {"unit_phrase", 11},  {"plural_category", 2},
    {"list_join", 7},       {"sort_words", 3},         {"letter_case", 4},   {"alphabet", 2},
    {"quotation_marks", 3}, {"identify_language", 12},
}};

}  // namespace

absl::string_view TaskName(Task task) { return kTraits[static_cast<int>(task)].name; }

double TaskWeight(Task task) { return kTraits[static_cast<int>(task)].weight; }

bool IsNameTask(Task task) {
  return task == Task::kTerritoryName || task == Task::kLanguageName || task == Task::kScriptName ||
         task == Task::kCurrencyName;
}

void FactSink::Add(Candidate candidate) {
  candidate.inputs = CleanText(candidate.inputs);
  candidate.targets = CleanText(candidate.targets);
  if (candidate.targets.empty() || candidate.inputs.empty()) return;
  candidates_.push_back(std::move(candidate));
}

}  // namespace frond::corpus
