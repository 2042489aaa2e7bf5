// A language of the corpus: what ICU itself says about it, never the parent's or root's words.
#pragma once

#include <unicode/locid.h>

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace frond::corpus {

struct Language {
  icu::Locale locale;        // with the Gregorian calendar
  std::string code;          // "de"
  std::string script;        // "Latn", the likely script where CLDR names none
  std::string english_name;  // "German"
  std::string endonym;       // "Deutsch"
  bool is_english = false;
  std::vector<std::string> months;    // January first; empty where CLDR has none
  std::vector<std::string> weekdays;  // Sunday first; empty where CLDR has none
  // Labels in the language, empty where CLDR has none: "Region: {0}", "Sprache: {0}", "Schrift:
  // {0}".
  std::string territory_pattern;
  std::string language_pattern;
  std::string script_pattern;
  std::string currency_label;  // "Währung"
  std::string weekday_label;   // "Wochentag"
  std::string month_label;     // "Monat"

  // "German: TEXT" with an English verb before it: "Say in German: TEXT".
  std::string EnglishPrompt(absl::string_view verb, absl::string_view text) const;
  // "Deutsch: TEXT", or "Deutsch, LABEL: TEXT" with a label of the language.
  std::string NativePrompt(absl::string_view label, absl::string_view text) const;
};

// Every language for which ICU has locale data and a name of its own, sorted by code.
std::vector<Language> ListLanguages();

// "Region: {0}" with the argument filled in.
std::string FillPattern(absl::string_view pattern, absl::string_view argument);

}  // namespace frond::corpus
