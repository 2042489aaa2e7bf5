#include "data/corpus/language.h"

#include <unicode/dtfmtsym.h>
#include <unicode/dtptngen.h>
#include <unicode/locdspnm.h>
#include <unicode/ures.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "data/corpus/icu_text.h"

namespace frond::corpus {
namespace {

// Names of a locale's own; empty where ICU answers with the code.
std::string OwnLanguageName(const icu::Locale& locale, const char* code) {
  std::unique_ptr<icu::LocaleDisplayNames> names(
      icu::LocaleDisplayNames::createInstance(locale, ULDN_STANDARD_NAMES));
  icu::UnicodeString name;
  names->localeDisplayName(code, name);
  const std::string text = CleanText(ToUtf8(name));
  return text == code ? "" : text;
}

std::vector<std::string> ToStrings(const icu::UnicodeString* names, int first, int count) {
  std::vector<std::string> strings;
  for (int i = first; i < first + count; ++i) strings.push_back(CleanText(ToUtf8(names[i])));
  return strings;
}

struct CalendarNames {
  std::vector<std::string> months;
  std::vector<std::string> weekdays;
};

CalendarNames ReadCalendarNames(const icu::Locale& locale) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::DateFormatSymbols symbols(locale, "gregorian", error);
  if (U_FAILURE(error)) return {};
  CalendarNames names;
  int32_t count = 0;
  const icu::UnicodeString* months =
      symbols.getMonths(count, icu::DateFormatSymbols::STANDALONE, icu::DateFormatSymbols::WIDE);
  if (count >= 12) names.months = ToStrings(months, 0, 12);
  const icu::UnicodeString* days =
      symbols.getWeekdays(count, icu::DateFormatSymbols::STANDALONE, icu::DateFormatSymbols::WIDE);
  if (count >= 8) names.weekdays = ToStrings(days, 1, 7);  // index 0 is unused in ICU
  return names;
}

bool AllDistinct(const std::vector<std::string>& words) {
  return std::set<std::string>(words.begin(), words.end()).size() == words.size();
}

std::string ReadCodePattern(const icu::Locale& locale, const char* kind) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::LocalUResourceBundlePointer bundle(
      ures_open(U_ICUDATA_NAME "-lang", locale.getBaseName(), &error));
  const icu::LocalUResourceBundlePointer patterns(
      ures_getByKey(bundle.getAlias(), "codePatterns", nullptr, &error));
  if (U_FAILURE(error) || error == U_USING_DEFAULT_WARNING) return "";
  const icu::UnicodeString pattern =
      icu::ures_getUnicodeStringByKey(patterns.getAlias(), kind, &error);
  return U_FAILURE(error) ? "" : CleanText(ToUtf8(pattern));
}

std::string ReadFieldLabel(const icu::Locale& locale, UDateTimePatternField field) {
  UErrorCode error = U_ZERO_ERROR;
  std::unique_ptr<icu::DateTimePatternGenerator> generator(
      icu::DateTimePatternGenerator::createInstance(locale, error));
  if (U_FAILURE(error)) return "";
  return CleanText(ToUtf8(generator->getFieldDisplayName(field, UDATPG_WIDE)));
}

std::string ReadKeyLabel(const icu::Locale& locale, const char* key) {
  std::unique_ptr<icu::LocaleDisplayNames> names(
      icu::LocaleDisplayNames::createInstance(locale, ULDN_STANDARD_NAMES));
  icu::UnicodeString label;
  names->keyDisplayName(key, label);
  const std::string text = CleanText(ToUtf8(label));
  return text == key ? "" : text;
}

// `text` unless it is what root would say.
std::string Own(const std::string& text, const std::string& root) {
  return text == root ? "" : text;
}

void ReadLabels(Language& language) {
  const icu::Locale& locale = language.locale;
  const icu::Locale root = icu::Locale::getRoot();
  language.territory_pattern = ReadCodePattern(locale, "territory");
  language.language_pattern = ReadCodePattern(locale, "language");
  language.script_pattern = ReadCodePattern(locale, "script");
  // A translation that has not reached this label yet repeats the English one.
  const bool is_english = language.code == "en";
  if (!is_english && language.language_pattern == ReadCodePattern("en", "language")) {
    language.territory_pattern.clear();
    language.language_pattern.clear();
    language.script_pattern.clear();
  }
  language.currency_label = ReadKeyLabel(locale, "currency");
  const auto field = [&](UDateTimePatternField which) {
    return Own(ReadFieldLabel(locale, which), ReadFieldLabel(root, which));
  };
  language.weekday_label = field(UDATPG_WEEKDAY_FIELD);
  language.month_label = field(UDATPG_MONTH_FIELD);
}

// Where the script is not written in the locale's name it is the likely one.
std::string LikelyScript(const icu::Locale& locale) {
  UErrorCode error = U_ZERO_ERROR;
  icu::Locale full = locale;
  full.addLikelySubtags(error);
  return U_SUCCESS(error) ? full.getScript() : "";
}

Language ReadLanguage(const std::string& code, const CalendarNames& root) {
  Language language;
  language.code = code;
  const icu::Locale plain(code.c_str());
  language.locale = icu::Locale((code + "@calendar=gregorian").c_str());
  language.script = LikelyScript(plain);
  language.english_name = OwnLanguageName(icu::Locale::getEnglish(), code.c_str());
  language.endonym = OwnLanguageName(plain, code.c_str());
  language.is_english = code == "en";
  const CalendarNames names = ReadCalendarNames(plain);
  if (names.months != root.months && AllDistinct(names.months)) language.months = names.months;
  const bool own_weekdays = language.is_english || names.weekdays != root.weekdays;
  if (own_weekdays && AllDistinct(names.weekdays)) language.weekdays = names.weekdays;
  ReadLabels(language);
  return language;
}

}  // namespace

std::string Language::EnglishPrompt(absl::string_view verb, absl::string_view text) const {
  return absl::StrCat(verb, " ", english_name, ": ", text);
}

std::string Language::NativePrompt(absl::string_view label, absl::string_view text) const {
  if (label.empty()) return absl::StrCat(endonym, ": ", text);
  return absl::StrCat(endonym, ", ", label, ": ", text);
}

std::string FillPattern(absl::string_view pattern, absl::string_view argument) {
  return absl::StrReplaceAll(pattern, {{"{0}", argument}});
}

std::vector<Language> ListLanguages() {
  std::set<std::string> codes;
  int32_t count = 0;
  const icu::Locale* available = icu::Locale::getAvailableLocales(count);
  for (int32_t i = 0; i < count; ++i) codes.insert(available[i].getLanguage());
  codes.erase("");
  codes.erase("nb");  // ICU keeps Norwegian Bokmal under "no"
  const CalendarNames root = ReadCalendarNames(icu::Locale::getRoot());
  std::vector<Language> languages;
  for (const std::string& code : codes) {
    Language language = ReadLanguage(code, root);
    if (!language.endonym.empty() && !language.english_name.empty()) languages.push_back(language);
  }
  return languages;
}

}  // namespace frond::corpus
