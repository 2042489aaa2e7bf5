#include "data/corpus/corpus.h"

#include <unicode/ulocdata.h>
#include <unicode/uversion.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/nearest_name.h"
#include "core/base/status_macros.h"
#include "data/corpus/exercises.h"
#include "data/corpus/fact.h"
#include "data/corpus/icu_text.h"
#include "data/corpus/language.h"
#include "data/corpus/notice.h"
#include "data/corpus/select.h"

namespace frond {
namespace {

using corpus::Candidate;
using corpus::FactSink;
using corpus::Language;
using corpus::Split;

// A language with fewer kinds of exercise has too little of its own in CLDR to be learnt from.
constexpr int kMinTasks = 12;
// Quantities and relative times of a well described language are about two and a half thousand.
constexpr int kMinPhrases = 1600;

// Languages of mT5's pre-training that CLDR describes with few phrases.
constexpr std::array<absl::string_view, 14> kPoorLanguagesOfMt5 = {
    "ceb", "eo", "haw", "ig", "ku", "mg", "mi", "mt", "sn", "su", "tg", "xh", "yi", "yo"};

// One language's exercises before the choice.
struct Draft {
  std::vector<Language> languages;
  std::vector<FactSink> sinks;
};

struct Row {
  uint64_t rank;
  size_t language;
  Candidate candidate;
};

int CountTasks(const FactSink& sink) {
  std::set<corpus::Task> tasks;
  for (const Candidate& candidate : sink.candidates()) tasks.insert(candidate.task);
  return static_cast<int>(tasks.size());
}

// Writes to `sink` and says, unless the language is among the `wanted`, whether CLDR has enough of
// the language: names alone, which it has for very many, teach no phrase.
bool WriteExercises(const Language& language, const std::vector<std::string>& wanted,
                    FactSink& sink) {
  corpus::WriteCalendarExercises(language, sink);
  corpus::WriteUnitExercises(language, sink);
  const auto phrases = std::count_if(sink.candidates().begin(), sink.candidates().end(),
                                     [](const Candidate& candidate) {
                                       return candidate.task == corpus::Task::kRelativeTime ||
                                              candidate.task == corpus::Task::kUnitPhrase;
                                     });
  const bool asked_for = std::find(wanted.begin(), wanted.end(), language.code) != wanted.end();
  if (phrases < kMinPhrases && !asked_for) return false;
  corpus::WriteNameExercises(language, sink);
  corpus::WriteSpelledNumberExercises(language, sink);
  corpus::WriteNumberFormatExercises(language, sink);
  corpus::WriteTextExercises(language, sink);
  return asked_for || CountTasks(sink) >= kMinTasks;
}

// The languages of these codes, all for none.
absl::StatusOr<std::vector<Language>> PickLanguages(const std::vector<std::string>& codes) {
  std::vector<Language> all = corpus::ListLanguages();
  if (codes.empty()) return all;
  std::vector<std::string> known;
  for (const Language& language : all) known.push_back(language.code);
  for (const std::string& code : codes) {
    if (std::find(known.begin(), known.end(), code) != known.end()) continue;
    return absl::InvalidArgumentError(absl::StrCat("corpus: ICU knows no language \"", code, "\"",
                                                   "; did you mean \"", NearestName(code, known),
                                                   "\"?"));
  }
  std::vector<Language> picked;
  for (Language& language : all) {
    const bool is_wanted = std::find(codes.begin(), codes.end(), language.code) != codes.end();
    if (is_wanted) picked.push_back(std::move(language));
  }
  return picked;
}

absl::StatusOr<Draft> WriteDraft(const CorpusOptions& options) {
  Draft draft;
  ASSIGN_OR_RETURN(const std::vector<Language> languages, PickLanguages(options.languages));
  std::vector<std::string> wanted = options.languages;
  if (wanted.empty()) {
    for (const absl::string_view code : kPoorLanguagesOfMt5) wanted.emplace_back(code);
  }
  for (const Language& language : languages) {
    FactSink sink;
    if (!WriteExercises(language, wanted, sink)) continue;
    draft.languages.push_back(language);
    draft.sinks.push_back(std::move(sink));
  }
  corpus::WriteIdentifyExercises(draft.languages, draft.sinks);
  return draft;
}

// The same question is asked once: a second one, with whatever answer, would be a duplicate or a
// contradiction, perhaps in another split.
std::vector<Candidate> DropRepeated(std::vector<Candidate> candidates,
                                    std::unordered_set<uint64_t>& asked) {
  std::vector<Candidate> kept;
  for (Candidate& candidate : candidates) {
    if (candidate.inputs == candidate.targets) continue;
    if (asked.insert(Hash64(candidate.inputs)).second) kept.push_back(std::move(candidate));
  }
  return kept;
}

std::vector<Row> ChooseRows(Draft& draft, const CorpusOptions& options) {
  std::unordered_set<uint64_t> asked;
  std::vector<Row> rows;
  for (size_t i = 0; i < draft.languages.size(); ++i) {
    std::vector<Candidate> candidates = draft.sinks[i].Take();
    candidates = DropRepeated(std::move(candidates), asked);
    candidates =
        corpus::SelectRows(std::move(candidates), options.max_rows_per_language, options.seed);
    for (Candidate& candidate : candidates) {
      const uint64_t rank = Hash64(absl::StrCat(options.seed, "\n", candidate.inputs));
      rows.push_back({rank, i, std::move(candidate)});
    }
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return a.rank != b.rank ? a.rank < b.rank : a.candidate.inputs < b.candidate.inputs;
  });
  return rows;
}

std::string ToJson(const Row& row, const Language& language, int64_t id) {
  nlohmann::ordered_json json;
  json["inputs"] = row.candidate.inputs;
  json["targets"] = row.candidate.targets;
  json["language"] = language.code;
  json["script"] = language.script;
  json["task_type"] = std::string(corpus::TaskName(row.candidate.task));
  json["template_id"] = row.candidate.template_id;
  json["dataset_name"] = "cldr";
  json["id"] = id;
  return json.dump() + "\n";
}

void Count(Split split, SplitCounts& counts) {
  switch (split) {
    case Split::kTrain:
      ++counts.train;
      break;
    case Split::kValidation:
      ++counts.validation;
      break;
    case Split::kTest:
      ++counts.test;
      break;
  }
}

void ReadVersions(CorpusReport& report) {
  UVersionInfo version;
  u_getVersion(version);
  report.icu_version = absl::StrCat(version[0], ".", version[1]);
  UErrorCode error = U_ZERO_ERROR;
  ulocdata_getCLDRVersion(version, &error);
  report.cldr_version = absl::StrCat(version[0], ".", version[1]);
}

absl::Status CheckOptions(const CorpusOptions& options) {
  if (options.out_dir.empty()) {
    return absl::InvalidArgumentError("corpus: out_dir is empty; name a folder to write to");
  }
  if (options.max_rows_per_language < 100 || options.max_rows_per_language > 1000000) {
    return absl::InvalidArgumentError(absl::StrCat("corpus: max_rows_per_language is ",
                                                   options.max_rows_per_language,
                                                   "; it must be from 100 to 1000000"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CorpusReport> WriteCorpus(const CorpusOptions& options) {
  RETURN_IF_ERROR(CheckOptions(options));
  RETURN_IF_ERROR(CreateDirectories(options.out_dir));
  const corpus::ScopedRootLocale root_locale;
  ASSIGN_OR_RETURN(Draft draft, WriteDraft(options));
  const std::vector<Row> rows = ChooseRows(draft, options);

  CorpusReport report;
  ReadVersions(report);
  std::array<std::string, 3> texts;
  int64_t id = 0;
  for (const Row& row : rows) {
    const Language& language = draft.languages[row.language];
    const Split split = corpus::SplitOfFact(row.candidate.fact);
    texts[static_cast<int>(split)] += ToJson(row, language, id++);
    Count(split, report.rows);
    Count(split, report.rows_by_language[language.code]);
    Count(split, report.rows_by_task[std::string(corpus::TaskName(row.candidate.task))]);
    report.language_names[language.code] = language.english_name;
    if (row.candidate.english_target && !language.is_english) ++report.english_target_rows;
  }
  const std::array<std::string, 3> names = {"train.jsonl", "validation.jsonl", "test.jsonl"};
  for (size_t i = 0; i < names.size(); ++i) {
    RETURN_IF_ERROR(WriteFileAtomically(JoinPath(options.out_dir, names[i]), texts[i]));
    report.bytes += static_cast<int64_t>(texts[i].size());
  }
  RETURN_IF_ERROR(WriteFileAtomically(JoinPath(options.out_dir, "README.md"),
                                      corpus::MakeNotice(report, options.seed)));
  return report;
}

}  // namespace frond
