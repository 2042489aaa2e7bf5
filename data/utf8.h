// Checks that bytes are UTF-8 (RFC 3629: shortest forms only, no surrogates, at most U+10FFFF).
#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"

namespace frond {

// Length of the longest prefix of `bytes` that is valid UTF-8; bytes.size() where all of it is.
size_t ValidUtf8Prefix(absl::string_view bytes);

inline bool IsValidUtf8(absl::string_view bytes) { return ValidUtf8Prefix(bytes) == bytes.size(); }

}  // namespace frond
