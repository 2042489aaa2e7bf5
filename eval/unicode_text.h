// The little of Unicode that metrics need: code points of UTF-8 text and what counts as white
// space.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace frond {

// Code points of `utf8`; each byte that is part of no valid sequence becomes U+FFFD.
std::u32string DecodeUtf8(absl::string_view utf8);

// What Python's str.isspace() says, so that scores agree with tools written in it.
bool IsUnicodeSpace(char32_t c);

// Without white space at both ends (IsUnicodeSpace).
absl::string_view TrimUnicodeSpace(absl::string_view utf8);

}  // namespace frond
