#include "data/corpus/icu_text.h"

#include <unicode/normalizer2.h>
#include <unicode/stringpiece.h>
#include <unicode/uchar.h>

#include <string>

#include "absl/strings/string_view.h"
#include "core/base/check.h"

namespace frond::corpus {
namespace {

// Bidirectional marks and break opportunities: they steer layout and are not part of the words.
bool IsLayoutMark(UChar32 c) {
  return c == 0x00AD || c == 0x200B || c == 0x200E || c == 0x200F || c == 0x061C ||
         (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

// Printable ASCII with single spaces inside: most texts, and clean as they are.
bool IsCleanAscii(absl::string_view text) {
  char previous = ' ';
  for (const char c : text) {
    if (c < 0x20 || c > 0x7E || (c == ' ' && previous == ' ')) return false;
    previous = c;
  }
  return previous != ' ';
}

// NFC already, and no character that is cleaned away.
bool IsClean(const icu::Normalizer2& nfc, const icu::UnicodeString& text) {
  UErrorCode error = U_ZERO_ERROR;
  if (!nfc.isNormalized(text, error) || U_FAILURE(error)) return false;
  UChar32 previous = u' ';
  for (int32_t i = 0; i < text.length();) {
    const UChar32 c = text.char32At(i);
    i += U16_LENGTH(c);
    if (c == u' ' ? previous == u' ' : IsLayoutMark(c) || u_isUWhiteSpace(c)) return false;
    previous = c;
  }
  return previous != u' ';
}

}  // namespace

std::string ToUtf8(const icu::UnicodeString& text) {
  std::string utf8;
  text.toUTF8String(utf8);
  return utf8;
}

icu::UnicodeString FromUtf8(absl::string_view text) {
  return icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
}

std::string CleanText(absl::string_view text) {
  if (IsCleanAscii(text)) return std::string(text);
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(error);
  CHECK(U_SUCCESS(error)) << u_errorName(error);
  const icu::UnicodeString wide = FromUtf8(text);
  if (IsClean(*nfc, wide)) return std::string(text);
  const icu::UnicodeString normalized = nfc->normalize(wide, error);
  CHECK(U_SUCCESS(error)) << u_errorName(error);
  icu::UnicodeString clean;
  for (int32_t i = 0; i < normalized.length(); i = normalized.moveIndex32(i, 1)) {
    const UChar32 c = normalized.char32At(i);
    if (IsLayoutMark(c)) continue;
    if (!u_isUWhiteSpace(c)) {
      clean.append(c);
    } else if (!clean.isEmpty() && clean[clean.length() - 1] != u' ') {
      clean.append(u' ');
    }
  }
  return ToUtf8(clean.trim());
}

std::string WithoutDigits(absl::string_view text) {
  const icu::UnicodeString wide = FromUtf8(text);
  icu::UnicodeString kept;
  for (int32_t i = 0; i < wide.length(); i = wide.moveIndex32(i, 1)) {
    const UChar32 c = wide.char32At(i);
    if (u_charType(c) != U_DECIMAL_DIGIT_NUMBER) kept.append(c);
  }
  return ToUtf8(kept);
}

bool HasDigit(absl::string_view text) { return WithoutDigits(text).size() != text.size(); }

bool HasLetter(absl::string_view text) {
  const icu::UnicodeString wide = FromUtf8(text);
  for (int32_t i = 0; i < wide.length(); i = wide.moveIndex32(i, 1)) {
    if (u_isalpha(wide.char32At(i))) return true;
  }
  return false;
}

ScopedRootLocale::ScopedRootLocale() : previous_(icu::Locale::getDefault()) {
  UErrorCode error = U_ZERO_ERROR;
  icu::Locale::setDefault(icu::Locale::getRoot(), error);
  CHECK(U_SUCCESS(error)) << u_errorName(error);
}

ScopedRootLocale::~ScopedRootLocale() {
  UErrorCode error = U_ZERO_ERROR;
  icu::Locale::setDefault(previous_, error);
}

}  // namespace frond::corpus
