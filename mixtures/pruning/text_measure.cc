#include "mixtures/pruning/text_measure.h"

#include <unicode/brkiter.h>
#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "core/base/check.h"

namespace frond {
namespace {

bool IsAscii(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isascii(c); });
}

UChar32 NextCharacter(absl::string_view text, size_t* at) {
  UChar32 c = 0;
  U8_NEXT_UNSAFE(text.data(), *at, c);
  return c;
}

// Appends `text` with runs of white space as one space.
std::string JoinRuns(absl::string_view text) {
  std::string joined;
  joined.reserve(text.size());
  bool gap = false;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const UChar32 c = NextCharacter(text, &at);
    if (u_isUWhiteSpace(c)) {
      gap = true;
      continue;
    }
    if (gap && !joined.empty()) joined.push_back(' ');
    gap = false;
    joined.append(text.data() + begin, at - begin);
  }
  return joined;
}

// The same, and in lower case.
std::string JoinAsciiRuns(absl::string_view text) {
  std::string joined;
  joined.reserve(text.size());
  for (const char c : text) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (!absl::ascii_isspace(byte)) {
      joined.push_back(absl::ascii_tolower(byte));
    } else if (!joined.empty() && joined.back() != ' ') {
      joined.push_back(' ');
    }
  }
  if (!joined.empty() && joined.back() == ' ') joined.pop_back();
  return joined;
}

bool WritesNoSpaces(UChar32 c) {
  if (c < 0x0E00) return false;
  return u_getIntPropertyValue(c, UCHAR_LINE_BREAK) == U_LB_COMPLEX_CONTEXT ||
         u_hasBinaryProperty(c, UCHAR_IDEOGRAPHIC) || (c >= 0x3040 && c <= 0x30FF);
}

}  // namespace

int64_t CountCharacters(absl::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

std::string NormalizeText(absl::string_view text) {
  if (IsAscii(text)) return JoinAsciiRuns(text);
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* normalizer = icu::Normalizer2::getNFKCCasefoldInstance(error);
  CHECK(U_SUCCESS(error)) << u_errorName(error);
  std::string folded;
  icu::StringByteSink<std::string> sink(&folded, static_cast<int32_t>(text.size()));
  normalizer->normalizeUTF8(0, icu::StringPiece(text.data(), static_cast<int32_t>(text.size())),
                            sink, nullptr, error);
  CHECK(U_SUCCESS(error)) << u_errorName(error);
  return JoinRuns(folded);
}

struct WordCounter::Dictionary {
  std::unique_ptr<icu::BreakIterator> iterator;

  int64_t Count(absl::string_view text) {
    const icu::UnicodeString wide = icu::UnicodeString::fromUTF8(
        icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
    iterator->setText(wide);
    int64_t words = 0;
    iterator->first();
    while (iterator->next() != icu::BreakIterator::DONE) {
      words += iterator->getRuleStatus() != UBRK_WORD_NONE;
    }
    return words;
  }
};

WordCounter::WordCounter() : dictionary_(std::make_unique<Dictionary>()) {
  UErrorCode error = U_ZERO_ERROR;
  dictionary_->iterator.reset(
      icu::BreakIterator::createWordInstance(icu::Locale::getRoot(), error));
  CHECK(U_SUCCESS(error)) << u_errorName(error);
}

WordCounter::~WordCounter() = default;

int64_t WordCounter::Count(absl::string_view text) {
  int64_t words = 0;
  bool in_word = false;
  for (size_t at = 0; at < text.size();) {
    const UChar32 c = NextCharacter(text, &at);
    if (WritesNoSpaces(c)) return dictionary_->Count(text);
    if (u_isUWhiteSpace(c)) {
      in_word = false;
    } else if (!in_word && u_isalnum(c)) {
      in_word = true;
      ++words;
    }
  }
  return words;
}

}  // namespace frond
