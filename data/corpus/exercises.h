// The writers of exercises: each reads one part of CLDR for one language and hands over candidates.
#pragma once

#include <string>
#include <vector>

#include "data/corpus/fact.h"
#include "data/corpus/language.h"

namespace frond::corpus {

// Territories, languages, scripts and currencies: code and English name to the language and back.
void WriteNameExercises(const Language& language, FactSink& sink);
// Numbers in words both ways, ordinals in words.
void WriteSpelledNumberExercises(const Language& language, FactSink& sink);
// Numbers, percentages and amounts of money with the language's digits and separators; plural
// class.
void WriteNumberFormatExercises(const Language& language, FactSink& sink);
// Months and weekdays in order, dates both ways, relative time.
void WriteCalendarExercises(const Language& language, FactSink& sink);
// Quantities and durations with unit names.
void WriteUnitExercises(const Language& language, FactSink& sink);
// Lists, sorting, letter case, alphabet, quotation marks.
void WriteTextExercises(const Language& language, FactSink& sink);
// "Which language is this" about the phrases in `sinks`, which are parallel to `languages`; phrases
// that two languages share are left out.
void WriteIdentifyExercises(const std::vector<Language>& languages, std::vector<FactSink>& sinks);

}  // namespace frond::corpus
