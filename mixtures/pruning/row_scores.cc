#include "mixtures/pruning/row_scores.h"

#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/hash.h"
#include "core/base/status_macros.h"
#include "data/jsonl_reader.h"
#include "data/line_reader.h"
#include "nlohmann/json.hpp"

namespace frond {
namespace {

using Json = nlohmann::json;

absl::Status Wrong(const std::string& what) { return absl::InvalidArgumentError(what); }

absl::StatusOr<uint64_t> HashOf(const Json& object) {
  const auto found = object.find("hash");
  uint64_t hash = 0;
  const std::string text =
      found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
  if (text.size() == 16 && absl::SimpleHexAtoi(text, &hash)) return hash;
  return Wrong("\"hash\" must be a text of 16 hexadecimal digits");
}

absl::StatusOr<double> ScoreOf(const Json& object, const std::string& field) {
  const auto found = object.find(field);
  if (found == object.end() || !found->is_number()) {
    return Wrong(absl::StrCat("there is no number \"", field, "\""));
  }
  return found->get<double>();
}

}  // namespace

absl::StatusOr<RowScores> RowScores::Read(const std::string& path, const std::string& field) {
  RowScores scores;
  scores.path_ = path;
  ASSIGN_OR_RETURN(const auto reader, LineReader::Open(path));
  while (true) {
    absl::string_view line;
    ASSIGN_OR_RETURN(const bool more, reader->Next(&line));
    if (!more) break;
    if (IsBlankLine(line)) continue;
    const Json object = Json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
    const auto at_line = [&](const absl::Status& status) {
      return AtLine(status, path, reader->line_number());
    };
    if (!object.is_object()) return at_line(Wrong("expected a JSON object"));
    const absl::StatusOr<uint64_t> hash = HashOf(object);
    if (!hash.ok()) return at_line(hash.status());
    const absl::StatusOr<double> score = ScoreOf(object, field);
    if (!score.ok()) return at_line(score.status());
    scores.scores_.emplace(*hash, *score);
  }
  if (scores.scores_.empty()) return Wrong(absl::StrCat("'", path, "' holds no scores"));
  return scores;
}

absl::StatusOr<uint64_t> RowScores::HashOfFile(const std::string& path) {
  ASSIGN_OR_RETURN(const auto reader, LineReader::Open(path));
  StreamingHash hash;
  while (true) {
    absl::string_view line;
    ASSIGN_OR_RETURN(const bool more, reader->Next(&line));
    if (!more) return hash.Digest();
    hash.Add(line);
    hash.Add("\n");
  }
}

absl::StatusOr<double> RowScores::Of(absl::string_view line) const {
  const uint64_t hash = Hash64(line);
  const auto found = scores_.find(hash);
  if (found != scores_.end()) return found->second;
  return absl::NotFoundError(absl::StrCat("the row (hash ", HashToHex(hash), ") has no score in '",
                                          path_, "'; score these files with frond score"));
}

}  // namespace frond
