// Numbers: in words, as ordinals, with local digits and separators, as money, and their plural
// class.
#include <unicode/currunit.h>
#include <unicode/dcfmtsym.h>
#include <unicode/numberformatter.h>
#include <unicode/plurrule.h>
#include <unicode/rbnf.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/hash.h"
#include "data/corpus/exercises.h"
#include "data/corpus/icu_text.h"

namespace frond::corpus {
namespace {

using icu::number::NumberFormatter;
using icu::number::Precision;

// The name of the locale whose number symbols ICU really uses is root where CLDR has none.
bool HasOwnNumberSymbols(const icu::Locale& locale) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::DecimalFormatSymbols symbols(locale, error);
  if (U_FAILURE(error)) return false;
  const icu::Locale actual = symbols.getLocale(ULOC_ACTUAL_LOCALE, error);
  return U_SUCCESS(error) && std::strlen(actual.getLanguage()) > 0 &&
         std::strcmp(actual.getLanguage(), "root") != 0;
}

// 0 to 120, then numbers spread over three and four digits.
std::vector<int> SpelledNumbers() {
  std::vector<int> numbers;
  for (int n = 0; n <= 120; ++n) numbers.push_back(n);
  for (int n = 121; n < 1000; n += 11) numbers.push_back(n);
  for (int n = 1000; n < 10000; n += 500) numbers.push_back(n);
  return numbers;
}

std::string FormatRule(const icu::RuleBasedNumberFormat& rules, const icu::UnicodeString& set,
                       int number) {
  UErrorCode error = U_ZERO_ERROR;
  icu::UnicodeString text;
  icu::FieldPosition position;
  if (set.isEmpty()) {
    rules.format(number, text);
  } else {
    rules.format(number, set, text, position, error);
  }
  if (U_FAILURE(error)) return "";
  return CleanText(ToUtf8(text));
}

// The public rule set of that name, else the first whose name starts so, empty where there is none.
icu::UnicodeString FindRuleSet(const icu::RuleBasedNumberFormat& rules,
                               const icu::UnicodeString& prefix) {
  icu::UnicodeString found;
  for (int32_t i = 0; i < rules.getNumberOfRuleSetNames(); ++i) {
    const icu::UnicodeString name = rules.getRuleSetName(i);
    if (name == prefix) return name;
    if (found.isEmpty() && name.startsWith(prefix)) found = name;
  }
  return found;
}

void WriteOrdinals(const Language& language, const icu::RuleBasedNumberFormat& rules,
                   FactSink& sink) {
  const icu::UnicodeString set = FindRuleSet(rules, u"%spellout-ordinal");
  if (set.isEmpty()) return;
  for (int n = 1; n <= 60; ++n) {
    const std::string words = FormatRule(rules, set, n);
    if (HasDigit(words)) continue;
    sink.Add({.task = Task::kOrdinalWords,
              .fact = absl::StrCat("ordinal/", n, "/", language.code),
              .template_id = "ordinal_to_words",
              .inputs = language.EnglishPrompt("Ordinal in", absl::StrCat(n)),
              .targets = words,
              .is_phrase = n > 1});
  }
}

void WriteAmounts(const Language& language, FactSink& sink) {
  const std::vector<const char*> codes = {"EUR", "USD", "GBP", "JPY", "CNY", "INR", "BRL"};
  for (const char* code : codes) {
    UErrorCode error = U_ZERO_ERROR;
    const icu::CurrencyUnit currency(code, error);
    const auto formatter = NumberFormatter::withLocale(language.locale).unit(currency);
    for (int i = 0; i < 30; ++i) {
      const int amount = 1 + static_cast<int>(Hash64(absl::StrCat("amount ", code, i)) % 2000);
      const std::string text = ToUtf8(formatter.formatInt(amount, error).toString(error));
      if (U_FAILURE(error)) return;
      sink.Add({.task = Task::kCurrencyAmount,
                .fact = absl::StrCat("amount/", code, amount, "/", language.code),
                .template_id = "amount",
                .inputs = language.EnglishPrompt("Price in", absl::StrCat(amount, " ", code)),
                .targets = text});
    }
  }
}

void WriteDecimals(const Language& language, FactSink& sink) {
  const auto formatter =
      NumberFormatter::withLocale(language.locale).precision(Precision::maxFraction(2));
  for (int i = 0; i < 240; ++i) {
    const uint64_t hash = Hash64(absl::StrCat("decimal ", i));
    const int64_t scale = i % 3 == 0 ? 1000000 : 100000;
    const int64_t whole = static_cast<int64_t>(hash % scale);
    const std::string plain =
        i % 2 == 0 ? absl::StrCat(whole) : absl::StrCat(whole, ".", 1 + i % 9);
    UErrorCode error = U_ZERO_ERROR;
    const std::string text = ToUtf8(formatter.formatDecimal(plain, error).toString(error));
    if (U_FAILURE(error)) return;
    const std::string fact = absl::StrCat("decimal/", plain, "/", language.code);
    sink.Add({.task = Task::kNumberFormat,
              .fact = fact,
              .template_id = "number_to_local",
              .inputs = language.EnglishPrompt("Number in", plain),
              .targets = text});
    if (CleanText(text) == plain) continue;
    sink.Add({.task = Task::kNumberFormat,
              .fact = fact,
              .template_id = "number_from_local",
              .inputs = absl::StrCat("Plain number from ", language.english_name, ": ", text),
              .targets = plain});
  }
}

void WritePercents(const Language& language, FactSink& sink) {
  const auto formatter = NumberFormatter::withLocale(language.locale).unit(icu::NoUnit::percent());
  for (int n = 1; n <= 100; ++n) {
    UErrorCode error = U_ZERO_ERROR;
    const std::string text = ToUtf8(formatter.formatInt(n, error).toString(error));
    if (U_FAILURE(error)) return;
    sink.Add({.task = Task::kPercentFormat,
              .fact = absl::StrCat("percent/", n, "/", language.code),
              .template_id = "percent",
              .inputs = language.EnglishPrompt("Percent in", absl::StrCat(n)),
              .targets = text});
  }
}

void WritePluralClasses(const Language& language, FactSink& sink) {
  UErrorCode error = U_ZERO_ERROR;
  const std::unique_ptr<icu::PluralRules> rules(
      icu::PluralRules::forLocale(language.locale, error));
  if (U_FAILURE(error)) return;
  const std::unique_ptr<icu::StringEnumeration> keywords(rules->getKeywords(error));
  if (U_FAILURE(error) || keywords->count(error) < 2) return;
  for (int n = 0; n <= 110; ++n) {
    sink.Add({.task = Task::kPluralCategory,
              .fact = absl::StrCat("plural/", n, "/", language.code),
              .template_id = "plural_class",
              .inputs = language.EnglishPrompt("Plural class in", absl::StrCat(n)),
              .targets = ToUtf8(rules->select(n))});
  }
}

}  // namespace

void WriteSpelledNumberExercises(const Language& language, FactSink& sink) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::RuleBasedNumberFormat rules(icu::URBNF_SPELLOUT, language.locale, error);
  if (U_FAILURE(error)) return;
  const icu::UnicodeString set = FindRuleSet(rules, u"%spellout-numbering");
  for (const int n : SpelledNumbers()) {
    const std::string words = FormatRule(rules, set, n);
    // Root "spells" with digits.
    if (words.empty() || HasDigit(words) || !HasLetter(words)) continue;
    const std::string fact = absl::StrCat("number/", n, "/", language.code);
    sink.Add({.task = Task::kNumberWords,
              .fact = fact,
              .template_id = "number_to_words",
              .inputs = language.EnglishPrompt("Spell in", absl::StrCat(n)),
              .targets = words,
              .is_phrase = n > 20});
    sink.Add({.task = Task::kNumberWords,
              .fact = fact,
              .template_id = "native_number_to_words",
              .inputs = language.NativePrompt("", absl::StrCat(n)),
              .targets = words});
    sink.Add({.task = Task::kNumberWords,
              .fact = fact,
              .template_id = "words_to_number",
              .inputs = absl::StrCat("Number from ", language.english_name, ": ", words),
              .targets = absl::StrCat(n)});
  }
  WriteOrdinals(language, rules, sink);
}

void WriteNumberFormatExercises(const Language& language, FactSink& sink) {
  WritePluralClasses(language, sink);
  if (!HasOwnNumberSymbols(language.locale)) return;
  WriteDecimals(language, sink);
  WritePercents(language, sink);
  WriteAmounts(language, sink);
}

}  // namespace frond::corpus
