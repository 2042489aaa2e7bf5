// Quantities and durations with the language's unit names.
#include <unicode/measfmt.h>
#include <unicode/measunit.h>
#include <unicode/measure.h>
#include <unicode/numberformatter.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "data/corpus/exercises.h"
#include "data/corpus/icu_text.h"

namespace frond::corpus {
namespace {

using icu::number::NumberFormatter;

struct Unit {
  icu::MeasureUnit unit;
  std::string symbol;
};

std::vector<Unit> ListUnits() {
  return {{icu::MeasureUnit::getKilometer(), "km"},
          {icu::MeasureUnit::getMeter(), "m"},
          {icu::MeasureUnit::getCentimeter(), "cm"},
          {icu::MeasureUnit::getKilogram(), "kg"},
          {icu::MeasureUnit::getGram(), "g"},
          {icu::MeasureUnit::getLiter(), "l"},
          {icu::MeasureUnit::getSecond(), "s"},
          {icu::MeasureUnit::getMinute(), "min"},
          {icu::MeasureUnit::getHour(), "h"},
          {icu::MeasureUnit::getDay(), "d"},
          {icu::MeasureUnit::getWeek(), "wk"},
          {icu::MeasureUnit::getMonth(), "mth"},
          {icu::MeasureUnit::getYear(), "yr"},
          {icu::MeasureUnit::getCelsius(), "C"},
          {icu::MeasureUnit::getKilometerPerHour(), "km/h"},
          {icu::MeasureUnit::getSquareMeter(), "m2"}};
}

using Formatter = icu::number::LocalizedNumberFormatter;

Formatter MakeFormatter(const icu::Locale& locale, const icu::MeasureUnit& unit) {
  return NumberFormatter::withLocale(locale).unit(unit).unitWidth(UNUM_UNIT_WIDTH_FULL_NAME);
}

std::string FormatUnit(const Formatter& formatter, int number) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::UnicodeString text = formatter.formatInt(number, error).toString(error);
  return U_SUCCESS(error) ? CleanText(ToUtf8(text)) : "";
}

// Root has only symbols; a digit-free comparison also holds for other digits.
bool HasOwnName(const icu::Locale& locale, const icu::MeasureUnit& unit) {
  const std::string own = FormatUnit(MakeFormatter(locale, unit), 2);
  const std::string root = FormatUnit(MakeFormatter(icu::Locale::getRoot(), unit), 2);
  return WithoutDigits(own) != WithoutDigits(root);
}

std::vector<int> UnitNumbers() {
  std::vector<int> numbers;
  for (int n = 1; n <= 30; ++n) numbers.push_back(n);
  for (int n = 40; n <= 100; n += 10) numbers.push_back(n);
  return numbers;
}

void WriteUnits(const Language& language, FactSink& sink) {
  for (const Unit& unit : ListUnits()) {
    const Formatter own = MakeFormatter(language.locale, unit.unit);
    const Formatter english = MakeFormatter(icu::Locale::getEnglish(), unit.unit);
    if (!HasOwnName(language.locale, unit.unit)) continue;
    for (const int n : UnitNumbers()) {
      const std::string text = FormatUnit(own, n);
      const auto add = [&](const std::string& id, const std::string& inputs, bool phrase) {
        sink.Add({.task = Task::kUnitPhrase,
                  .fact = absl::StrCat("unit/", n, unit.symbol, "/", language.code),
                  .template_id = id,
                  .inputs = inputs,
                  .targets = text,
                  .is_phrase = phrase});
      };
      const std::string symbol = absl::StrCat(n, " ", unit.symbol);
      add("unit", language.EnglishPrompt("Write in", symbol), n % 5 == 2);
      add("native_unit", language.NativePrompt("", symbol), false);
      if (language.is_english) continue;
      add("unit_from_english", language.EnglishPrompt("Translate to", FormatUnit(english, n)),
          false);
    }
  }
}

struct DurationKind {
  const icu::MeasureUnit large;
  const icu::MeasureUnit small;
  std::string large_symbol;
  std::string small_symbol;
  int small_limit;
};

std::string FormatDuration(const icu::MeasureFormat& format, const DurationKind& kind, int large,
                           int small) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Measure measures[] = {icu::Measure(large, new icu::MeasureUnit(kind.large), error),
                                   icu::Measure(small, new icu::MeasureUnit(kind.small), error)};
  icu::UnicodeString text;
  icu::FieldPosition position;
  format.formatMeasures(measures, 2, text, position, error);
  return U_SUCCESS(error) ? CleanText(ToUtf8(text)) : "";
}

void WriteDurations(const Language& language, FactSink& sink) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::MeasureFormat own(language.locale, UMEASFMT_WIDTH_WIDE, error);
  if (U_FAILURE(error)) return;
  const std::vector<DurationKind> kinds = {
      {icu::MeasureUnit::getHour(), icu::MeasureUnit::getMinute(), "h", "min", 59},
      {icu::MeasureUnit::getMinute(), icu::MeasureUnit::getSecond(), "min", "s", 59},
      {icu::MeasureUnit::getDay(), icu::MeasureUnit::getHour(), "d", "h", 23}};
  for (const DurationKind& kind : kinds) {
    if (!HasOwnName(language.locale, kind.large) || !HasOwnName(language.locale, kind.small)) {
      continue;
    }
    for (int i = 0; i < 80; ++i) {
      const int large = 1 + i % 9;
      const int small = 1 + (i * 7) % kind.small_limit;
      const std::string symbols =
          absl::StrCat(large, " ", kind.large_symbol, " ", small, " ", kind.small_symbol);
      sink.Add({.task = Task::kDuration,
                .fact = absl::StrCat("duration/", symbols, "/", language.code),
                .template_id = "duration",
                .inputs = language.EnglishPrompt("Time in", symbols),
                .targets = FormatDuration(own, kind, large, small),
                .is_phrase = i % 4 == 0});
    }
  }
}

}  // namespace

void WriteUnitExercises(const Language& language, FactSink& sink) {
  WriteUnits(language, sink);
  WriteDurations(language, sink);
}

}  // namespace frond::corpus
