#include "data/message_text.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "data/utf8.h"

namespace frond {
namespace {

constexpr size_t kMaxNamesShown = 12;
constexpr size_t kMaxNameBytes = 40;

}  // namespace

std::string Excerpt(absl::string_view text, size_t max_bytes) {
  const bool whole = text.size() <= max_bytes;
  const absl::string_view shown = text.substr(0, max_bytes);
  std::string excerpt(shown.substr(0, ValidUtf8Prefix(shown)));
  for (char& c : excerpt) {
    if (absl::ascii_iscntrl(c)) c = ' ';
  }
  return whole ? excerpt : absl::StrCat(excerpt, "...");
}

std::string NamesShown(std::span<const std::string> names) {
  std::string text;
  for (const std::string& name : names.first(std::min(names.size(), kMaxNamesShown))) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", Excerpt(name, kMaxNameBytes));
  }
  if (names.size() > kMaxNamesShown) text += ", ...";
  return text;
}

absl::Status CheckUtf8(absl::string_view text) {
  const size_t valid = ValidUtf8Prefix(text);
  if (valid == text.size()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat("invalid UTF-8 at byte %d (0x%02X)", valid + 1,
                                                    static_cast<unsigned char>(text[valid])));
}

absl::Status MissingField(absl::string_view field, std::span<const std::string> names,
                          absl::string_view remedy) {
  return absl::InvalidArgumentError(absl::StrCat("field '", field, "' is missing (the row has ",
                                                 names.empty() ? "no fields" : NamesShown(names),
                                                 "); ", remedy));
}

}  // namespace frond
