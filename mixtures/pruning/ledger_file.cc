#include "mixtures/pruning/ledger_file.h"

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/hash.h"
#include "nlohmann/json.hpp"

namespace frond {
namespace {

constexpr absl::string_view kBegin = "{\n\"format\": \"frond prune ledger\",\n\"hash\": \"";
constexpr absl::string_view kAfterHash = "\",\n";
constexpr absl::string_view kEnd = "}\n";
constexpr size_t kHashDigits = 16;

absl::Status Damaged(absl::string_view path, absl::string_view what) {
  return absl::DataLossError(absl::StrCat("ledger '", path, "' is damaged: ", what,
                                          "; take it from a copy, or prune again"));
}

// Without the listed rows. They end an entry's line; inside of strings quotes are escaped, so the
// mark is found nowhere else.
std::string WithoutRows(absl::string_view body) {
  constexpr absl::string_view kRows = ",\"rows\":[\"";
  std::string text;
  for (size_t begin = 0; begin < body.size();) {
    const size_t rows = body.find(kRows, begin);
    absl::StrAppend(&text, body.substr(begin, rows - begin));
    if (rows == absl::string_view::npos) break;
    const size_t end = body.find(']', rows);
    begin = end == absl::string_view::npos ? body.size() : end + 1;
  }
  return text;
}

}  // namespace

std::string LedgerText(absl::string_view hash, absl::string_view body) {
  return absl::StrCat(kBegin, hash, kAfterHash, body, kEnd);
}

bool IsLedger(absl::string_view text) { return absl::StartsWith(text, kBegin); }

absl::StatusOr<LedgerFile> ParseLedger(absl::string_view text, absl::string_view path) {
  if (!IsLedger(text)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", path, "' is no ledger; expected the ledger.json of a `frond prune`"));
  }
  LedgerFile ledger = {.hash = std::string(text.substr(kBegin.size(), kHashDigits))};
  absl::string_view body = text.substr(kBegin.size() + ledger.hash.size());
  if (!absl::ConsumePrefix(&body, kAfterHash) || !absl::ConsumeSuffix(&body, kEnd)) {
    return Damaged(path, "its end is missing");
  }
  if (HashToHex(Hash64(WithoutRows(body))) != ledger.hash) {
    return Damaged(path, absl::StrCat("its text does not have the hash ", ledger.hash));
  }
  bool in_sources = false;
  for (const absl::string_view line : absl::StrSplit(body, '\n')) {
    if (in_sources && absl::StartsWith(line, "]")) break;
    if (in_sources) {
      const auto source = nlohmann::json::parse(absl::StripSuffix(line, ","), nullptr, false);
      if (!source.is_object() || !source.contains("output")) continue;
      if (!source["output"].is_string() || !source.contains("kept") ||
          !source["kept"].is_number_integer()) {
        return Damaged(path, "a source's output or kept rows");
      }
      ledger.outputs.push_back({.name = source["output"], .kept = source["kept"]});
    }
    in_sources |= absl::StartsWith(line, "\"sources\": [");
  }
  return ledger;
}

}  // namespace frond
