// Names of territories, languages, scripts and currencies.
#include <unicode/locdspnm.h>
#include <unicode/ucurr.h>
#include <unicode/uenum.h>
#include <unicode/uloc.h>
#include <unicode/uscript.h>

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/hash.h"
#include "data/corpus/exercises.h"
#include "data/corpus/icu_text.h"

namespace frond::corpus {
namespace {

std::set<std::string> ListTerritories() {
  std::set<std::string> codes;
  for (const char* const* code = uloc_getISOCountries(); *code != nullptr; ++code) {
    codes.insert(*code);
  }
  return codes;
}

std::set<std::string> ListLanguageCodes() {
  std::set<std::string> codes;
  for (const char* const* code = uloc_getISOLanguages(); *code != nullptr; ++code) {
    const absl::string_view view = *code;
    if (view.size() == 2) codes.insert(*code);
  }
  return codes;
}

std::set<std::string> ListScripts() {
  std::set<std::string> codes;
  for (int i = 0; i < USCRIPT_CODE_LIMIT; ++i) {
    const auto script = static_cast<UScriptCode>(i);
    const UScriptUsage usage = uscript_getUsage(script);
    if (usage == USCRIPT_USAGE_RECOMMENDED || usage == USCRIPT_USAGE_LIMITED_USE) {
      codes.insert(uscript_getShortName(script));
    }
  }
  // Not scripts of their own: common, inherited, and the two forms of Han.
  for (const char* code : {"Zyyy", "Zinh", "Hans", "Hant"}) codes.erase(code);
  return codes;
}

std::set<std::string> ListCurrencies() {
  std::set<std::string> codes;
  UErrorCode error = U_ZERO_ERROR;
  const icu::LocalUEnumerationPointer currencies(
      ucurr_openISOCurrencies(UCURR_COMMON | UCURR_NON_DEPRECATED, &error));
  const char* code = nullptr;
  while ((code = uenum_next(currencies.getAlias(), nullptr, &error)) != nullptr) {
    codes.insert(code);
  }
  return codes;
}

std::string CurrencyName(const icu::Locale& locale, const std::string& code) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::UnicodeString wide = FromUtf8(code);
  int32_t length = 0;
  const char16_t* name =
      ucurr_getName(icu::UnicodeString(wide).getTerminatedBuffer(), locale.getBaseName(),
                    UCURR_LONG_NAME, nullptr, &length, &error);
  if (U_FAILURE(error) || error == U_USING_DEFAULT_WARNING) return "";
  return CleanText(ToUtf8(icu::UnicodeString(name, length)));
}

// One kind of named thing.
struct NameKind {
  Task task;
  std::string word;  // "territory", also the key of the fact
  std::string verb;  // "Territory in"
  std::set<std::string> codes;
  std::string native_pattern;  // "Region: {0}", may be empty
  std::function<std::string(const std::string&)> own_name;
  std::function<std::string(const std::string&)> english_name;
};

void WriteNames(const Language& language, const NameKind& kind, FactSink& sink) {
  for (const std::string& code : kind.codes) {
    const std::string own = kind.own_name(code);
    const std::string english = kind.english_name(code);
    if (own.empty() || english.empty() || own == code || english == code) continue;
    const std::string fact = absl::StrCat(kind.word, "/", code, "/", language.code);
    const auto add = [&](const std::string& id, const std::string& inputs,
                         const std::string& targets, bool to_english) {
      sink.Add({.task = kind.task,
                .fact = fact,
                .template_id = absl::StrCat(kind.word, "_", id),
                .inputs = inputs,
                .targets = targets,
                .english_target = to_english,
                .is_phrase = !to_english && id == "code"});
    };
    add("code", language.EnglishPrompt(kind.verb, code), own, false);
    if (!kind.native_pattern.empty()) {
      add("native_code",
          absl::StrCat(language.endonym, ", ", FillPattern(kind.native_pattern, code)), own, false);
    }
    if (language.is_english) continue;
    add("from_english", language.EnglishPrompt("Translate to", english), own, false);
    // English stays a small part of the answers.
    if (Hash64(fact) % 2 == 0) {
      add("to_english", absl::StrCat("Translate ", language.english_name, " to English: ", own),
          english, true);
    }
  }
}

}  // namespace

void WriteNameExercises(const Language& language, FactSink& sink) {
  const icu::Locale english = icu::Locale::getEnglish();
  using Names = icu::LocaleDisplayNames;
  const std::unique_ptr<Names> own(Names::createInstance(language.locale, ULDN_STANDARD_NAMES));
  const std::unique_ptr<Names> other(Names::createInstance(english, ULDN_STANDARD_NAMES));
  const auto territory = [](const Names& names, const std::string& code) {
    icu::UnicodeString name;
    return CleanText(ToUtf8(names.regionDisplayName(code.c_str(), name)));
  };
  const auto tongue = [](const Names& names, const std::string& code) {
    icu::UnicodeString name;
    return CleanText(ToUtf8(names.languageDisplayName(code.c_str(), name)));
  };
  const auto script = [](const Names& names, const std::string& code) {
    icu::UnicodeString name;
    return CleanText(ToUtf8(names.scriptDisplayName(code.c_str(), name)));
  };
  const auto bind = [](auto read, const Names& names) {
    return [read, &names](const std::string& code) { return read(names, code); };
  };
  WriteNames(language,
             {Task::kTerritoryName, "territory", "Territory in", ListTerritories(),
              language.territory_pattern, bind(territory, *own), bind(territory, *other)},
             sink);
  WriteNames(language,
             {Task::kLanguageName, "language", "Language in", ListLanguageCodes(),
              language.language_pattern, bind(tongue, *own), bind(tongue, *other)},
             sink);
  WriteNames(language,
             {Task::kScriptName, "script", "Script in", ListScripts(), language.script_pattern,
              bind(script, *own), bind(script, *other)},
             sink);
  const std::string currency_pattern =
      language.currency_label.empty() ? "" : language.currency_label + ": {0}";
  WriteNames(language,
             {Task::kCurrencyName, "currency", "Currency in", ListCurrencies(), currency_pattern,
              [&](const std::string& code) { return CurrencyName(language.locale, code); },
              [&](const std::string& code) { return CurrencyName(english, code); }},
             sink);
}

}  // namespace frond::corpus
