// Lists, sorting, letter case, alphabet and quotation marks, on the language's own words.
#include <unicode/coll.h>
#include <unicode/listformatter.h>
#include <unicode/uchar.h>
#include <unicode/ulocdata.h>
#include <unicode/uniset.h>
#include <unicode/usetiter.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/hash.h"
#include "data/corpus/exercises.h"
#include "data/corpus/icu_text.h"

namespace frond::corpus {
namespace {

using Words = std::vector<std::string>;

// Months and weekdays: few words that return often, so that a list of them asks for joining and
// sorting rather than for spelling.
Words CalendarWords(const Language& language) {
  Words words = language.months;
  words.insert(words.end(), language.weekdays.begin(), language.weekdays.end());
  return words;
}

// `count` different words of one of the two cycles, drawn by `key`.
Words DrawWords(const Words& pool, int count, const std::string& key) {
  Words drawn;
  for (int attempt = 0; static_cast<int>(drawn.size()) < count; ++attempt) {
    const std::string& word = pool[Hash64(absl::StrCat(key, "/", attempt)) % pool.size()];
    if (std::find(drawn.begin(), drawn.end(), word) == drawn.end()) drawn.push_back(word);
  }
  return drawn;
}

std::string FormatList(const icu::ListFormatter& formatter, const Words& words) {
  std::vector<icu::UnicodeString> items;
  for (const std::string& word : words) items.push_back(FromUtf8(word));
  UErrorCode error = U_ZERO_ERROR;
  icu::UnicodeString text;
  formatter.format(items.data(), static_cast<int32_t>(items.size()), text, error);
  return U_SUCCESS(error) ? CleanText(ToUtf8(text)) : "";
}

void WriteLists(const Language& language, UListFormatterType type, const std::string& word,
                FactSink& sink) {
  UErrorCode error = U_ZERO_ERROR;
  using icu::ListFormatter;
  const std::unique_ptr<ListFormatter> own(
      ListFormatter::createInstance(language.locale, type, ULISTFMT_WIDTH_WIDE, error));
  const std::unique_ptr<ListFormatter> root(
      ListFormatter::createInstance(icu::Locale::getRoot(), type, ULISTFMT_WIDTH_WIDE, error));
  if (U_FAILURE(error)) return;
  for (int i = 0; i < 160; ++i) {
    const Words& pool = i % 3 == 0 ? language.weekdays : language.months;
    if (pool.empty()) continue;
    const Words words = DrawWords(pool, 2 + i % 2, absl::StrCat("list ", word, i));
    const std::string text = FormatList(*own, words);
    if (text == FormatList(*root, words)) return;
    sink.Add(
        {.task = Task::kListJoin,
         .fact = absl::StrCat("list/", word, "/", absl::StrJoin(words, "/"), "/", language.code),
         .template_id = absl::StrCat("list_", word),
         .inputs = language.EnglishPrompt(absl::StrCat("Join with \"", word, "\" in"),
                                          absl::StrJoin(words, " | ")),
         .targets = text,
         .is_phrase = i % 3 == 0});
  }
}

void WriteSorting(const Language& language, FactSink& sink) {
  UErrorCode error = U_ZERO_ERROR;
  const std::unique_ptr<icu::Collator> collator(
      icu::Collator::createInstance(language.locale, error));
  if (U_FAILURE(error)) return;
  for (int i = 0; i < 200; ++i) {
    const Words& pool = i % 3 == 0 ? language.weekdays : language.months;
    if (pool.empty()) continue;
    Words words = DrawWords(pool, 2 + i % 2, absl::StrCat("sort ", i));
    const std::string inputs = absl::StrJoin(words, ", ");
    std::sort(words.begin(), words.end(), [&](const std::string& a, const std::string& b) {
      UErrorCode compare_error = U_ZERO_ERROR;
      return collator->compare(FromUtf8(a), FromUtf8(b), compare_error) == UCOL_LESS;
    });
    sink.Add({.task = Task::kSortWords,
              .fact = absl::StrCat("sort/", absl::StrJoin(words, "/"), "/", language.code),
              .template_id = "sort",
              .inputs = language.EnglishPrompt("Sort in", inputs),
              .targets = absl::StrJoin(words, ", ")});
  }
}

std::string ChangeCase(const Language& language, const std::string& word, bool upper) {
  icu::UnicodeString text = FromUtf8(word);
  return ToUtf8(upper ? text.toUpper(language.locale) : text.toLower(language.locale));
}

void WriteCase(const Language& language, const Words& words, FactSink& sink) {
  // Georgian capitals are for display type only, they are not how the language is written.
  if (language.script == "Geor") return;
  for (const std::string& word : words) {
    const std::string lower = ChangeCase(language, word, false);
    const std::string upper = ChangeCase(language, word, true);
    if (lower == upper) continue;
    const std::string fact = absl::StrCat("case/", lower, "/", language.code);
    const auto add = [&](const std::string& id, const std::string& inputs,
                         const std::string& targets) {
      sink.Add({.task = Task::kLetterCase,
                .fact = fact,
                .template_id = id,
                .inputs = inputs,
                .targets = targets});
    };
    add("upper_case", language.EnglishPrompt("Upper case in", lower), upper);
    add("lower_case", language.EnglishPrompt("Lower case in", upper), lower);
  }
}

// The language's letters in its own order; empty for writing without an alphabet.
Words ReadAlphabet(const Language& language) {
  UErrorCode error = U_ZERO_ERROR;
  icu::LocalULocaleDataPointer data(ulocdata_open(language.locale.getBaseName(), &error));
  if (U_FAILURE(error)) return {};
  icu::UnicodeSet letters;
  ulocdata_getExemplarSet(data.getAlias(), letters.toUSet(), 0, ULOCDATA_ES_STANDARD, &error);
  if (U_FAILURE(error)) return {};
  Words alphabet;
  icu::UnicodeSetIterator iterator(letters);
  while (iterator.next() && alphabet.size() <= 120) {
    if (iterator.isString() || !u_isalpha(iterator.getCodepoint())) continue;
    alphabet.push_back(ToUtf8(icu::UnicodeString(iterator.getCodepoint())));
  }
  if (alphabet.size() < 15 || alphabet.size() > 75) return {};
  const std::unique_ptr<icu::Collator> collator(
      icu::Collator::createInstance(language.locale, error));
  if (U_FAILURE(error)) return {};
  std::stable_sort(alphabet.begin(), alphabet.end(),
                   [&](const std::string& a, const std::string& b) {
                     UErrorCode compare_error = U_ZERO_ERROR;
                     return collator->compare(FromUtf8(a), FromUtf8(b), compare_error) == UCOL_LESS;
                   });
  return alphabet;
}

void WriteAlphabet(const Language& language, const Words& alphabet, FactSink& sink) {
  for (size_t i = 0; i + 1 < alphabet.size(); ++i) {
    const auto add = [&](const std::string& id, const std::string& verb, const std::string& letter,
                         const std::string& targets) {
      sink.Add({.task = Task::kAlphabet,
                .fact = absl::StrCat("letter/", id, "/", letter, "/", language.code),
                .template_id = id,
                .inputs = language.EnglishPrompt(verb, letter),
                .targets = targets});
    };
    add("letter_after", "Letter after in", alphabet[i], alphabet[i + 1]);
    add("letter_before", "Letter before in", alphabet[i + 1], alphabet[i]);
  }
}

std::string ReadDelimiter(ULocaleData* data, ULocaleDataDelimiterType type) {
  UErrorCode error = U_ZERO_ERROR;
  char16_t mark[16];
  const int32_t length = ulocdata_getDelimiter(data, type, mark, 16, &error);
  if (U_FAILURE(error) || error == U_USING_DEFAULT_WARNING) return "";
  return ToUtf8(icu::UnicodeString(mark, length));
}

void WriteQuotes(const Language& language, const Words& words, FactSink& sink) {
  UErrorCode error = U_ZERO_ERROR;
  icu::LocalULocaleDataPointer data(ulocdata_open(language.locale.getBaseName(), &error));
  if (U_FAILURE(error)) return;
  const std::string start = ReadDelimiter(data.getAlias(), ULOCDATA_QUOTATION_START);
  const std::string end = ReadDelimiter(data.getAlias(), ULOCDATA_QUOTATION_END);
  if (start.empty() || end.empty()) return;
  for (const std::string& word : words) {
    sink.Add({.task = Task::kQuotation,
              .fact = absl::StrCat("quote/", word, "/", language.code),
              .template_id = "quote",
              .inputs = language.EnglishPrompt("Quote in", word),
              .targets = absl::StrCat(start, word, end)});
  }
}

// Calendar words and the short phrases written so far.
Words CollectWords(const Language& language, FactSink& sink) {
  const Words calendar = CalendarWords(language);
  std::set<std::string> words(calendar.begin(), calendar.end());
  for (const Candidate& candidate : sink.candidates()) {
    if (!candidate.is_phrase || candidate.targets.size() > 24) continue;
    if (candidate.task == Task::kNumberWords || candidate.task == Task::kTerritoryName) {
      words.insert(candidate.targets);
    }
  }
  return Words(words.begin(), words.end());
}

}  // namespace

void WriteTextExercises(const Language& language, FactSink& sink) {
  WriteLists(language, ULISTFMT_TYPE_AND, "and", sink);
  WriteLists(language, ULISTFMT_TYPE_OR, "or", sink);
  WriteSorting(language, sink);
  const Words alphabet = ReadAlphabet(language);
  WriteAlphabet(language, alphabet, sink);
  const Words words = CollectWords(language, sink);
  WriteQuotes(language, words, sink);
  WriteCase(language, words, sink);
  WriteCase(language, alphabet, sink);
}

}  // namespace frond::corpus
