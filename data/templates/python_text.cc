#include "data/templates/python_text.h"

#include <unicode/locid.h>
#include <unicode/stringoptions.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace frond::templates {
namespace {

// A character and where its bytes end.
struct Decoded {
  UChar32 character;
  size_t end;
};

Decoded Decode(absl::string_view text, size_t at) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  auto i = static_cast<int32_t>(at);
  UChar32 character;
  U8_NEXT(bytes, i, static_cast<int32_t>(text.size()), character);
  return {character, static_cast<size_t>(i)};
}

// The character that ends before `end`, and where its bytes begin.
Decoded DecodeBefore(absl::string_view text, size_t end) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  auto i = static_cast<int32_t>(end);
  UChar32 character;
  U8_PREV(bytes, 0, i, character);
  return {character, static_cast<size_t>(i)};
}

icu::UnicodeString ToIcu(absl::string_view text) {
  return icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
}

std::string FromIcu(const icu::UnicodeString& text) {
  std::string utf8;
  text.toUTF8String(utf8);
  return utf8;
}

std::string InTitleCase(UChar32 character) {
  icu::UnicodeString text(character);
  return FromIcu(text.toTitle(nullptr, icu::Locale::getRoot(),
                              U_TITLECASE_WHOLE_STRING | U_TITLECASE_NO_BREAK_ADJUSTMENT));
}

// Without the characters that `drop` is true for at the given ends.
template <class Drop>
absl::string_view Strip(absl::string_view text, End end, const Drop& drop) {
  while (end != End::kRight && !text.empty()) {
    const Decoded first = Decode(text, 0);
    if (!drop(first.character)) break;
    text.remove_prefix(first.end);
  }
  while (end != End::kLeft && !text.empty()) {
    const Decoded last = DecodeBefore(text, text.size());
    if (!drop(last.character)) break;
    text = text.substr(0, last.end);
  }
  return text;
}

bool IsCased(UChar32 c) {
  return u_hasBinaryProperty(c, UCHAR_CASED) != 0 && u_charType(c) != U_OTHER_LETTER;
}

bool IsPrintable(UChar32 c) {
  switch (u_charType(c)) {
    case U_CONTROL_CHAR:
    case U_FORMAT_CHAR:
    case U_SURROGATE:
    case U_PRIVATE_USE_CHAR:
    case U_UNASSIGNED:
    case U_LINE_SEPARATOR:
    case U_PARAGRAPH_SEPARATOR:
      return false;
    case U_SPACE_SEPARATOR:
      return c == ' ';
    default:
      return true;
  }
}

std::string Escaped(UChar32 c) {
  char text[16];
  std::snprintf(text, sizeof(text),
                c < 0x100     ? "\\x%02x"
                : c < 0x10000 ? "\\u%04x"
                              : "\\U%08x",
                static_cast<unsigned>(c));
  return text;
}

bool EndsLine(UChar32 c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

}  // namespace

std::string Utf8Of(int32_t character) {
  const bool valid = character >= 0 && character <= 0x10FFFF && !U_IS_SURROGATE(character);
  return FromIcu(icu::UnicodeString(static_cast<UChar32>(valid ? character : 0xFFFD)));
}

std::string OneLine(absl::string_view text) {
  constexpr size_t kLongest = 500;
  std::string line;
  for (size_t i = 0; i < text.size();) {
    const Decoded decoded = Decode(text, i);
    if (decoded.end > kLongest) return line + "...";
    const bool shown = decoded.character >= 0 && IsPrintable(decoded.character);
    absl::StrAppend(&line, shown ? text.substr(i, decoded.end - i) : " ");
    i = decoded.end;
  }
  return line;
}

bool IsUtf8(absl::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const Decoded decoded = Decode(text, i);
    if (decoded.character < 0) return false;
    i = decoded.end;
  }
  return true;
}

int64_t NumCharacters(absl::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

std::vector<std::string> Characters(absl::string_view text) {
  std::vector<std::string> characters;
  for (size_t i = 0; i < text.size();) {
    const size_t end = Decode(text, i).end;
    characters.emplace_back(text.substr(i, end - i));
    i = end;
  }
  return characters;
}

std::string Substring(absl::string_view text, int64_t begin, int64_t end) {
  size_t from = 0;
  for (int64_t i = 0; i < begin && from < text.size(); ++i) from = Decode(text, from).end;
  size_t to = from;
  for (int64_t i = begin; i < end && to < text.size(); ++i) to = Decode(text, to).end;
  return std::string(text.substr(from, to - from));
}

size_t Find(absl::string_view text, absl::string_view part) {
  // The plain search looks at a part again at every byte, at worst; with few bytes it is as good,
  // and memmem under AddressSanitizer goes over the whole text for each of many finds.
  constexpr size_t kShort = 64;
  if (part.size() <= kShort) return text.find(part);
  const void* found = memmem(text.data(), text.size(), part.data(), part.size());
  if (found == nullptr) return absl::string_view::npos;
  return static_cast<size_t>(static_cast<const char*>(found) - text.data());
}

int64_t CountOf(absl::string_view text, absl::string_view part) {
  if (part.empty()) return NumCharacters(text) + 1;
  int64_t count = 0;
  for (size_t at = Find(text, part); at != absl::string_view::npos; at = Find(text, part)) {
    text.remove_prefix(at + part.size());
    ++count;
  }
  return count;
}

bool IsSpace(int32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

absl::string_view StripSpace(absl::string_view text, End end) { return Strip(text, end, IsSpace); }

std::string StripCharacters(absl::string_view text, absl::string_view set, End end) {
  std::vector<UChar32> dropped;
  for (size_t i = 0; i < set.size();) {
    const Decoded decoded = Decode(set, i);
    dropped.push_back(decoded.character);
    i = decoded.end;
  }
  std::sort(dropped.begin(), dropped.end());
  return std::string(Strip(
      text, end, [&](UChar32 c) { return std::binary_search(dropped.begin(), dropped.end(), c); }));
}

std::vector<std::string> SplitAtSpace(absl::string_view text, int64_t limit, bool from_right) {
  std::vector<std::string> words;
  const End near = from_right ? End::kRight : End::kLeft;
  for (text = StripSpace(text, near); !text.empty(); text = StripSpace(text, near)) {
    if (limit >= 0 && static_cast<int64_t>(words.size()) == limit) {
      words.emplace_back(text);
      break;
    }
    size_t cut = from_right ? text.size() : 0;  // where the word at the near end stops
    while (from_right ? cut > 0 : cut < text.size()) {
      const Decoded next = from_right ? DecodeBefore(text, cut) : Decode(text, cut);
      if (IsSpace(next.character)) break;
      cut = next.end;
    }
    words.emplace_back(from_right ? text.substr(cut) : text.substr(0, cut));
    text = from_right ? text.substr(0, cut) : text.substr(cut);
  }
  if (from_right) std::reverse(words.begin(), words.end());
  return words;
}

std::vector<std::string> SplitAt(absl::string_view text, absl::string_view separator, int64_t limit,
                                 bool from_right) {
  std::vector<std::string> parts;
  while (limit < 0 || static_cast<int64_t>(parts.size()) < limit) {
    const size_t at = from_right ? text.rfind(separator) : Find(text, separator);
    if (at == absl::string_view::npos) break;
    const absl::string_view behind = text.substr(at + separator.size());
    const absl::string_view before = text.substr(0, at);
    parts.emplace_back(from_right ? behind : before);
    text = from_right ? before : behind;
  }
  parts.emplace_back(text);
  if (from_right) std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string> SplitLines(absl::string_view text) {
  std::vector<std::string> lines;
  size_t begin = 0;
  for (size_t i = 0; i < text.size();) {
    const Decoded decoded = Decode(text, i);
    size_t end = decoded.end;
    if (EndsLine(decoded.character)) {
      lines.emplace_back(text.substr(begin, i - begin));
      if (decoded.character == '\r' && end < text.size() && text[end] == '\n') ++end;
      begin = end;
    }
    i = end;
  }
  if (begin < text.size()) lines.emplace_back(text.substr(begin));
  return lines;
}

std::string Replace(absl::string_view text, absl::string_view old, absl::string_view replacement,
                    int64_t limit) {
  std::string result;
  int64_t left = limit < 0 ? INT64_MAX : limit;
  if (old.empty()) {
    for (; left > 0; --left) {
      absl::StrAppend(&result, replacement);
      if (text.empty()) return result;
      const size_t end = Decode(text, 0).end;
      absl::StrAppend(&result, text.substr(0, end));
      text.remove_prefix(end);
    }
    return absl::StrCat(result, text);
  }
  for (; left > 0; --left) {
    const size_t at = Find(text, old);
    if (at == absl::string_view::npos) break;
    absl::StrAppend(&result, text.substr(0, at), replacement);
    text.remove_prefix(at + old.size());
  }
  absl::StrAppend(&result, text);
  return result;
}

std::string Lower(absl::string_view text) {
  return FromIcu(ToIcu(text).toLower(icu::Locale::getRoot()));
}

std::string Upper(absl::string_view text) {
  return FromIcu(ToIcu(text).toUpper(icu::Locale::getRoot()));
}

std::string Capitalize(absl::string_view text) {
  if (text.empty()) return "";
  const absl::string_view first = text.substr(0, Decode(text, 0).end);
  // Lower case depends on what stands around a letter: at the end of a word sigma has another form.
  const std::string lower = Lower(text);
  return InTitleCase(Decode(first, 0).character) + lower.substr(Lower(first).size());
}

std::string Title(absl::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size();) {
    const size_t begin = i;
    const bool letters = IsCased(Decode(text, i).character);
    while (i < text.size() && IsCased(Decode(text, i).character) == letters) {
      i = Decode(text, i).end;
    }
    const absl::string_view run = text.substr(begin, i - begin);
    absl::StrAppend(&result, letters ? Capitalize(run) : std::string(run));
  }
  return result;
}

std::string TitleWords(absl::string_view text) {
  std::string result;
  const auto parts = [](UChar32 c) {
    return IsSpace(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
  };
  size_t i = 0;
  while (i < text.size()) {
    const size_t begin = i;
    const Decoded first = Decode(text, i);
    const bool between = parts(first.character);
    while (i < text.size() && parts(Decode(text, i).character) == between) i = Decode(text, i).end;
    absl::StrAppend(&result, Upper(text.substr(begin, first.end - begin)),
                    Lower(text.substr(first.end, i - first.end)));
  }
  return result;
}

bool IsDigits(absl::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const Decoded decoded = Decode(text, i);
    const auto type = u_getIntPropertyValue(decoded.character, UCHAR_NUMERIC_TYPE);
    if (type != U_NT_DECIMAL && type != U_NT_DIGIT) return false;
    i = decoded.end;
  }
  return !text.empty();
}

bool IsLower(absl::string_view text) {
  bool any = false;
  for (size_t i = 0; i < text.size();) {
    const Decoded decoded = Decode(text, i);
    if (u_isupper(decoded.character) || u_istitle(decoded.character)) return false;
    any = any || u_hasBinaryProperty(decoded.character, UCHAR_LOWERCASE) != 0;
    i = decoded.end;
  }
  return any;
}

bool IsUpper(absl::string_view text) {
  bool any = false;
  for (size_t i = 0; i < text.size();) {
    const Decoded decoded = Decode(text, i);
    if (u_hasBinaryProperty(decoded.character, UCHAR_LOWERCASE) || u_istitle(decoded.character)) {
      return false;
    }
    any = any || u_hasBinaryProperty(decoded.character, UCHAR_UPPERCASE) != 0;
    i = decoded.end;
  }
  return any;
}

std::string Quoted(absl::string_view text) {
  const bool doubles =
      text.find('\'') != absl::string_view::npos && text.find('"') == absl::string_view::npos;
  const char quote = doubles ? '"' : '\'';
  std::string result(1, quote);
  for (size_t i = 0; i < text.size();) {
    const Decoded decoded = Decode(text, i);
    const UChar32 c = decoded.character;
    if (c == quote || c == '\\') {
      result += {'\\', static_cast<char>(c)};
    } else if (c == '\n' || c == '\r' || c == '\t') {
      result += c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
    } else if (IsPrintable(c)) {
      absl::StrAppend(&result, text.substr(i, decoded.end - i));
    } else {
      result += Escaped(c);
    }
    i = decoded.end;
  }
  return result + quote;
}

}  // namespace frond::templates
