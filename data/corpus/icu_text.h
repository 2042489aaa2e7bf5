// Text between ICU and UTF-8, and the guards that keep ICU's defaults out of the corpus.
#pragma once

#include <unicode/locid.h>
#include <unicode/unistr.h>

#include <string>

#include "absl/strings/string_view.h"

namespace frond::corpus {

std::string ToUtf8(const icu::UnicodeString& text);
icu::UnicodeString FromUtf8(absl::string_view text);

// NFC; every space character becomes an ordinary space, runs of them one; bidirectional marks,
// soft hyphens and zero-width spaces go.
// Tokenizers do the same to typographic spaces, so an answer that kept them could never be matched.
std::string CleanText(absl::string_view text);

// The text without decimal digits of any script.
std::string WithoutDigits(absl::string_view text);
bool HasDigit(absl::string_view text);
// At least one letter.
bool HasLetter(absl::string_view text);

// While it lives ICU's default locale is root: data that a language lacks then comes from root,
// where it is recognised, instead of from the language of whoever runs the program.
class ScopedRootLocale {
 public:
  ScopedRootLocale();
  ~ScopedRootLocale();
  ScopedRootLocale(const ScopedRootLocale&) = delete;
  ScopedRootLocale& operator=(const ScopedRootLocale&) = delete;

 private:
  icu::Locale previous_;
};

}  // namespace frond::corpus
