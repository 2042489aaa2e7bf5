#include "mixtures/pruning/script_rule.h"

#include <unicode/uchar.h>
#include <unicode/uloc.h>
#include <unicode/uscript.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/human_numbers.h"
#include "core/base/status_macros.h"

namespace frond {
namespace {

using Scripts = std::vector<UScriptCode>;
constexpr int32_t kMaxScripts = 16;

// The scripts of one code: Jpan is Han and kana, Kore is Hangul and Han, Hans and Hant are Han.
// Empty where Unicode does not know the code.
Scripts ScriptsOfCode(const std::string& code) {
  if (code == "Jpan") return {USCRIPT_HAN, USCRIPT_HIRAGANA, USCRIPT_KATAKANA};
  if (code == "Kore" || code == "Hang") return {USCRIPT_HANGUL, USCRIPT_HAN};
  if (code == "Hans" || code == "Hant") return {USCRIPT_HAN, USCRIPT_BOPOMOFO};
  if (code == "Aran") return {USCRIPT_ARABIC};
  if (code.size() != 4) return {};
  const int32_t script = u_getPropertyValueEnum(UCHAR_SCRIPT, code.c_str());
  if (script == UCHAR_INVALID_CODE) return {};
  return {static_cast<UScriptCode>(script)};
}

// What CLDR says a language is written in; empty for languages it does not know.
Scripts ScriptsOfLanguage(const std::string& language) {
  UErrorCode error = U_ZERO_ERROR;
  Scripts scripts(kMaxScripts);
  const int32_t count = uscript_getCode(language.c_str(), scripts.data(), kMaxScripts, &error);
  if (U_SUCCESS(error) && error != U_USING_DEFAULT_WARNING && count > 0) {
    scripts.resize(static_cast<size_t>(count));
    return scripts;
  }
  char full[ULOC_FULLNAME_CAPACITY];
  char script[ULOC_SCRIPT_CAPACITY];
  error = U_ZERO_ERROR;
  uloc_addLikelySubtags(language.c_str(), full, sizeof(full), &error);
  uloc_getScript(full, script, sizeof(script), &error);
  return U_SUCCESS(error) ? ScriptsOfCode(script) : Scripts();
}

using Accepted = std::map<std::string, Scripts>;

class ScriptWorker : public RuleWorker {
 public:
  ScriptWorker(const ScriptOptions& options, const Accepted& accepted)
      : options_(options), accepted_(accepted) {}

  absl::StatusOr<Opinion> Look(const Example& example, absl::string_view) override {
    const Scripts& declared = Declared(example);
    if (declared.empty()) return Opinion::Keep();
    const absl::string_view text = SideOf(example, options_.side, &joined_);
    int64_t letters = 0, right = 0;
    for (size_t at = 0; at < text.size();) {
      UChar32 c = 0;
      U8_NEXT_UNSAFE(text.data(), at, c);
      if (!u_isalpha(c)) continue;
      const UScriptCode script = ScriptOf(c);
      if (script == USCRIPT_COMMON || script == USCRIPT_INHERITED) continue;
      ++letters;
      right += std::find(declared.begin(), declared.end(), script) != declared.end();
    }
    const double share = letters > 0 ? static_cast<double>(right) / letters : 1;
    if (letters < options_.min_letters || share >= options_.min_share) return Opinion::Keep();
    return Opinion::Drop(absl::StrFormat("%s of %d letters in the script of %s", Percent(share),
                                         letters, example.language));
  }

 private:
  static UScriptCode ScriptOf(UChar32 c) {
    if (c < 0x80) return USCRIPT_LATIN;
    UErrorCode error = U_ZERO_ERROR;
    return uscript_getScript(c, &error);
  }

  const Scripts& Declared(const Example& example) {
    const auto [entry, is_new] =
        cache_.try_emplace(absl::StrCat(example.language, "\n", example.script));
    if (!is_new) return entry->second;
    Scripts scripts = ScriptsOfCode(example.script);
    if (scripts.empty()) scripts = ScriptsOfLanguage(example.language);
    const auto more = accepted_.find(example.language);
    if (more != accepted_.end()) {
      scripts.insert(scripts.end(), more->second.begin(), more->second.end());
    }
    return entry->second = std::move(scripts);
  }

  ScriptOptions options_;
  const Accepted& accepted_;
  absl::flat_hash_map<std::string, Scripts> cache_;
  std::string joined_;
};

class ScriptRule : public Rule {
 public:
  ScriptRule(const ScriptOptions& options, Accepted accepted)
      : options_(options), accepted_(std::move(accepted)) {}
  std::unique_ptr<RuleWorker> NewWorker() const override {
    return std::make_unique<ScriptWorker>(options_, accepted_);
  }

 private:
  ScriptOptions options_;
  Accepted accepted_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Rule>> MakeScriptRule(const ScriptOptions& options) {
  Accepted accepted;
  for (const auto& [language, code] : options.accept) {
    const Scripts scripts = ScriptsOfCode(code);
    if (scripts.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", code, "' is no script; expected a code of ISO 15924 such as Latn"));
    }
    Scripts& all = accepted[language];
    all.insert(all.end(), scripts.begin(), scripts.end());
  }
  return std::make_unique<ScriptRule>(options, std::move(accepted));
}

}  // namespace frond
