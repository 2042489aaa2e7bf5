// What a file's text looks like inside of a one-line message. Private to data/.
#pragma once

#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace frond {

// Cut where it is longer than `max_bytes`, and without control characters.
std::string Excerpt(absl::string_view text, size_t max_bytes);

// "a, b, c": the first dozen of them.
std::string NamesShown(std::span<const std::string> names);

// An error that names the first byte, from 1, where `text` is no UTF-8.
absl::Status CheckUtf8(absl::string_view text);

// The names of a row's fields do not have `field`; `remedy` says what to do.
absl::Status MissingField(absl::string_view field, std::span<const std::string> names,
                          absl::string_view remedy);
inline constexpr absl::string_view kNameTheField = "name the right one under 'fields'";
inline constexpr absl::string_view kNameTheLanguage =
    "name it under 'fields' or set the source's 'language'";

}  // namespace frond
