#include "data/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace frond {
namespace {

TEST(Utf8, AcceptsEveryLength) {
  EXPECT_TRUE(IsValidUtf8(""));
  EXPECT_TRUE(IsValidUtf8("plain text that is longer than one word of eight bytes"));
  EXPECT_TRUE(IsValidUtf8("\u00e9 \u4e2d\u6587 \U0001F33F \u07ff \u0800 \uffff \U0010FFFF"));
  EXPECT_TRUE(IsValidUtf8(std::string("a\0b", 3)));
}

TEST(Utf8, NamesTheFirstBadByte) {
  const struct {
    std::string bytes;
    size_t valid;
  } cases[] = {
      {"12345678\xFF", 8},         // never a lead byte
      {"ab\x80", 2},               // a continuation alone
      {"ab\xC0\xAF", 2},           // overlong, 2 bytes
      {"ab\xC1\xBF", 2},           // overlong, 2 bytes
      {"\xE0\x9F\xBF", 0},         // overlong, 3 bytes
      {"\xF0\x8F\xBF\xBF", 0},     // overlong, 4 bytes
      {"\xED\xA0\x80", 0},         // a surrogate
      {"\xF4\x90\x80\x80", 0},     // beyond U+10FFFF
      {"\xF5\x80\x80\x80", 0},     // beyond U+10FFFF
      {"abc\xE4\xB8", 3},          // cut short
      {"abc\xE4\xB8x", 3},         // a continuation missing
      {"\xC3\xA9\xF0\x9F\x8C", 2}  // cut short
  };
  for (const auto& c : cases) EXPECT_EQ(ValidUtf8Prefix(c.bytes), c.valid) << c.bytes;
}

}  // namespace
}  // namespace frond
