#include "data/tokenize_lines.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/base/status_macros.h"
#include "data/utf8.h"

namespace frond {
namespace {

absl::StatusOr<std::string> EncodeLine(const Tokenizer& tokenizer, const std::string& line) {
  const size_t valid = ValidUtf8Prefix(line);
  if (valid != line.size()) {
    return absl::InvalidArgumentError(absl::StrCat("invalid UTF-8 at byte ", valid + 1));
  }
  return absl::StrJoin(tokenizer.Encode(line), " ");
}

absl::StatusOr<std::string> DecodeLine(const Tokenizer& tokenizer, const std::string& line) {
  std::vector<int32_t> ids;
  for (const absl::string_view word :
       absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty())) {
    int32_t id = 0;
    if (!absl::SimpleAtoi(word, &id)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "'", word, "' is not a token id; expected 0 to ", tokenizer.vocab_size() - 1));
    }
    ids.push_back(id);
  }
  return tokenizer.Decode(ids);
}

template <class Function>
absl::Status ForEachLine(std::istream& in, std::ostream& out, const Function& function) {
  std::string line;
  for (int64_t number = 1; std::getline(in, line); ++number) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    const absl::StatusOr<std::string> result = function(line);
    if (!result.ok()) {
      return absl::Status(result.status().code(),
                          absl::StrCat("line ", number, ": ", result.status().message()));
    }
    out << *result << '\n';
    if (!out) {
      return absl::InternalError(absl::StrCat("cannot write the result of line ", number));
    }
  }
  if (in.bad()) return absl::InternalError("cannot read the input");
  out.flush();
  return out ? absl::OkStatus() : absl::InternalError("cannot write the last results");
}

}  // namespace

absl::Status EncodeLines(const Tokenizer& tokenizer, std::istream& in, std::ostream& out) {
  return ForEachLine(in, out, [&](const std::string& line) { return EncodeLine(tokenizer, line); });
}

absl::Status DecodeLines(const Tokenizer& tokenizer, std::istream& in, std::ostream& out) {
  return ForEachLine(in, out, [&](const std::string& line) { return DecodeLine(tokenizer, line); });
}

}  // namespace frond
