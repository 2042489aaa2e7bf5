#include "eval/unicode_text.h"

#include <cstddef>

namespace frond {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

struct Decoded {
  char32_t code_point;
  size_t bytes;
};

// The code point at the start of `text` (not empty). Overlong forms, surrogates and values above
// U+10FFFF are invalid (RFC 3629).
Decoded DecodeOne(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < bytes) return {kReplacement, 1};
  char32_t value = first & (0xFF >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {kReplacement, 1};
    value = value << 6 | (byte(i) & 0x3F);
  }
  const char32_t smallest = bytes == 4 ? 0x10000 : bytes == 3 ? 0x800 : 0x80;
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < smallest || value > 0x10FFFF || surrogate) return {kReplacement, 1};
  return {value, bytes};
}

// Where the last code point of `text` (not empty) starts.
size_t LastStart(absl::string_view text) {
  for (size_t bytes = 1; bytes <= 4 && bytes <= text.size(); ++bytes) {
    const size_t start = text.size() - bytes;
    if (DecodeOne(text.substr(start)).bytes == bytes) return start;
  }
  return text.size() - 1;
}

}  // namespace

std::u32string DecodeUtf8(absl::string_view utf8) {
  std::u32string out;
  out.reserve(utf8.size());
  while (!utf8.empty()) {
    const Decoded next = DecodeOne(utf8);
    out.push_back(next.code_point);
    utf8.remove_prefix(next.bytes);
  }
  return out;
}

bool IsUnicodeSpace(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

absl::string_view TrimUnicodeSpace(absl::string_view utf8) {
  while (!utf8.empty()) {
    const Decoded first = DecodeOne(utf8);
    if (!IsUnicodeSpace(first.code_point)) break;
    utf8.remove_prefix(first.bytes);
  }
  while (!utf8.empty()) {
    const size_t start = LastStart(utf8);
    if (!IsUnicodeSpace(DecodeOne(utf8.substr(start)).code_point)) break;
    utf8.remove_suffix(utf8.size() - start);
  }
  return utf8;
}

}  // namespace frond
