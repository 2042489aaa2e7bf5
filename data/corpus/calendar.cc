// Months and weekdays in order, dates in words and back, relative time.
#include <unicode/dtptngen.h>
#include <unicode/gregocal.h>
#include <unicode/reldatefmt.h>
#include <unicode/smpdtfmt.h>
#include <unicode/timezone.h>

#include <array>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/hash.h"
#include "data/corpus/exercises.h"
#include "data/corpus/icu_text.h"

namespace frond::corpus {
namespace {

// A cycle of names, months or weekdays.
struct Cycle {
  Task task;
  std::string word;  // "month", also the key of the facts
  const std::vector<std::string>& names;
  std::string label;
};

std::string Step(int steps) { return absl::StrFormat("%+d", steps); }

void WriteCycle(const Language& language, const Cycle& cycle, FactSink& sink) {
  const int size = static_cast<int>(cycle.names.size());
  const auto name = [&](int i) { return cycle.names[((i % size) + size) % size]; };
  for (int i = 0; i < size; ++i) {
    const std::string key = absl::StrCat(cycle.word, "/", i, "/");
    const auto add = [&](const std::string& fact, const std::string& id, const std::string& inputs,
                         const std::string& targets) {
      sink.Add({.task = cycle.task,
                .fact = absl::StrCat(key, fact, "/", language.code),
                .template_id = absl::StrCat(cycle.word, "_", id),
                .inputs = inputs,
                .targets = targets,
                .is_phrase = id == "three"});
    };
    add("number", "number", language.EnglishPrompt("Name in", absl::StrCat(cycle.word, " ", i + 1)),
        name(i));
    if (!cycle.label.empty()) {
      add("number", "native_number", language.NativePrompt(cycle.label, absl::StrCat(i + 1)),
          name(i));
    }
    add("next", "next", language.EnglishPrompt("Next in", name(i)), name(i + 1));
    add("previous", "previous", language.EnglishPrompt("Previous in", name(i)), name(i - 1));
    add("three", "three", language.EnglishPrompt("Next three in", name(i)),
        absl::StrCat(name(i + 1), ", ", name(i + 2), ", ", name(i + 3)));
    for (int steps = -5; steps <= 6; ++steps) {
      if (steps >= -1 && steps <= 1) continue;
      const std::string sum = absl::StrCat(name(i), " ", Step(steps));
      const std::string fact = absl::StrCat("step", steps);
      add(fact, "step", language.EnglishPrompt("Count in", sum), name(i + steps));
      if (cycle.label.empty()) continue;
      add(fact, "native_step", language.NativePrompt(cycle.label, sum), name(i + steps));
    }
  }
}

struct Date {
  int year;
  int month;
  int day;
};

// The same dates of 1950 to 2049 for every language.
std::vector<Date> SampleDates() {
  std::vector<Date> dates;
  std::set<std::array<int, 3>> seen;
  for (int i = 0; i < 300; ++i) {
    const uint64_t hash = Hash64(absl::StrCat("date ", i));
    const Date date = {.year = 1950 + static_cast<int>(hash % 100),
                       .month = 1 + static_cast<int>(hash / 100 % 12),
                       .day = 1 + static_cast<int>(hash / 1200 % 28)};
    if (seen.insert({date.year, date.month, date.day}).second) dates.push_back(date);
  }
  return dates;
}

UDate ToInstant(const icu::GregorianCalendar& calendar, const Date& date) {
  UErrorCode error = U_ZERO_ERROR;
  const std::unique_ptr<icu::GregorianCalendar> copy(calendar.clone());
  copy->clear();
  copy->set(date.year, date.month - 1, date.day, 12, 0);
  return copy->getTime(error);
}

std::unique_ptr<icu::SimpleDateFormat> MakeDateFormat(const icu::Locale& locale,
                                                      const char* skeleton) {
  UErrorCode error = U_ZERO_ERROR;
  const std::unique_ptr<icu::DateTimePatternGenerator> generator(
      icu::DateTimePatternGenerator::createInstance(locale, error));
  if (U_FAILURE(error)) return nullptr;
  const icu::UnicodeString pattern =
      generator->getBestPattern(icu::UnicodeString(skeleton, -1, US_INV), error);
  auto format = std::make_unique<icu::SimpleDateFormat>(pattern, locale, error);
  if (U_FAILURE(error)) return nullptr;
  format->adoptTimeZone(icu::TimeZone::getGMT()->clone());
  return format;
}

void WriteDates(const Language& language, FactSink& sink) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::GregorianCalendar calendar(*icu::TimeZone::getGMT(), icu::Locale::getRoot(), error);
  const auto full = MakeDateFormat(language.locale, "yMMMMd");
  const auto short_form = MakeDateFormat(language.locale, "MMMMd");
  if (U_FAILURE(error) || full == nullptr || short_form == nullptr) return;
  for (const Date& date : SampleDates()) {
    const UDate instant = ToInstant(calendar, date);
    icu::UnicodeString wide;
    const std::string words = ToUtf8(full->format(instant, wide));
    const std::string iso = absl::StrFormat("%04d-%02d-%02d", date.year, date.month, date.day);
    const auto add = [&](const std::string& fact, const std::string& id, const std::string& inputs,
                         const std::string& targets, bool phrase) {
      sink.Add({.task = Task::kDateWords,
                .fact = absl::StrCat("date/", fact, "/", language.code),
                .template_id = id,
                .inputs = inputs,
                .targets = targets,
                .is_phrase = phrase});
    };
    add(iso, "date_to_words", language.EnglishPrompt("Date in", iso), words, true);
    add(iso, "native_date_to_words", language.NativePrompt("", iso), words, false);
    add(iso, "words_to_date", absl::StrCat("ISO date from ", language.english_name, ": ", words),
        iso, false);
    const std::string day = absl::StrFormat("%02d-%02d", date.month, date.day);
    icu::UnicodeString short_words;
    add(day, "day_to_words", language.EnglishPrompt("Day in", day),
        ToUtf8(short_form->format(instant, short_words)), true);
  }
}

struct RelativeUnit {
  URelativeDateTimeUnit unit;
  absl::string_view name;
};

constexpr std::array<RelativeUnit, 7> kRelativeUnits = {{{UDAT_REL_UNIT_YEAR, "year"},
                                                         {UDAT_REL_UNIT_MONTH, "month"},
                                                         {UDAT_REL_UNIT_WEEK, "week"},
                                                         {UDAT_REL_UNIT_DAY, "day"},
                                                         {UDAT_REL_UNIT_HOUR, "hour"},
                                                         {UDAT_REL_UNIT_MINUTE, "minute"},
                                                         {UDAT_REL_UNIT_SECOND, "second"}}};

// "in 3 days"; "tomorrow" where the language has a word for the step.
std::string FormatRelative(const icu::RelativeDateTimeFormatter& formatter, int offset,
                           URelativeDateTimeUnit unit) {
  UErrorCode error = U_ZERO_ERROR;
  icu::UnicodeString text;
  formatter.format(offset, unit, text, error);
  return U_SUCCESS(error) ? CleanText(ToUtf8(text)) : "";
}

void WriteRelativeTimes(const Language& language, FactSink& sink) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::RelativeDateTimeFormatter own(language.locale, error);
  const icu::RelativeDateTimeFormatter english(icu::Locale::getEnglish(), error);
  const icu::RelativeDateTimeFormatter root(icu::Locale::getRoot(), error);
  if (U_FAILURE(error)) return;
  for (const RelativeUnit& unit : kRelativeUnits) {
    for (int offset = -24; offset <= 24; ++offset) {
      const std::string text = FormatRelative(own, offset, unit.unit);
      // "+3 d" is a placeholder, of root or of a translation not yet made.
      if (text.empty() || text[0] == '+' || text[0] == '-') continue;
      if (text == FormatRelative(root, offset, unit.unit)) continue;
      const std::string fact = absl::StrCat("relative/", unit.name, offset, "/", language.code);
      const bool phrase = offset % 4 == 0;
      const std::string sum = absl::StrCat(Step(offset), " ", unit.name);
      const auto add = [&](const std::string& id, const std::string& inputs, bool is_phrase) {
        sink.Add({.task = Task::kRelativeTime,
                  .fact = fact,
                  .template_id = id,
                  .inputs = inputs,
                  .targets = text,
                  .is_phrase = is_phrase});
      };
      add("relative", language.EnglishPrompt("When in", sum), phrase);
      add("native_relative", language.NativePrompt("", sum), false);
      if (language.is_english) continue;
      add("relative_from_english",
          language.EnglishPrompt("Translate to", FormatRelative(english, offset, unit.unit)),
          false);
    }
  }
}

}  // namespace

void WriteCalendarExercises(const Language& language, FactSink& sink) {
  if (!language.months.empty()) {
    WriteCycle(language, {Task::kMonthOrder, "month", language.months, language.month_label}, sink);
    WriteDates(language, sink);
  }
  if (!language.weekdays.empty()) {
    WriteCycle(language,
               {Task::kWeekdayOrder, "weekday", language.weekdays, language.weekday_label}, sink);
  }
  WriteRelativeTimes(language, sink);
}

}  // namespace frond::corpus
