#include "launch/metrics_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"
#include "nlohmann/json.hpp"

namespace frond {
namespace {

absl::Status SystemError(absl::string_view what, const std::string& path) {
  return absl::UnavailableError(absl::StrCat("cannot ", what, " ", path, ": ", strerror(errno)));
}

std::string Quoted(absl::string_view text) {
  const nlohmann::json value = std::string(text);
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// The step of a line; -1 where it is no record of ours.
int64_t StepOfLine(absl::string_view line) {
  const nlohmann::json record =
      nlohmann::json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
  if (!record.is_object()) return -1;
  const auto step = record.find("step");
  if (step == record.end() || !step->is_number_integer()) return -1;
  return step->get<int64_t>();
}

struct KeptLines {
  std::string text;
  int64_t lines = 0;
};

// The lines of `text` that a run continuing after `last_step` keeps, at most the first
// `most_lines`.
absl::StatusOr<KeptLines> KeepLines(const std::string& path, absl::string_view text,
                                    int64_t last_step, int64_t most_lines) {
  KeptLines kept;
  for (int64_t line_number = 1; !text.empty(); ++line_number) {
    const size_t end = text.find('\n');
    const bool torn = end == absl::string_view::npos;
    const absl::string_view line = text.substr(0, torn ? text.size() : end);
    text.remove_prefix(torn ? text.size() : end + 1);
    if (torn) break;
    const int64_t step = StepOfLine(line);
    if (step < 0 && text.empty()) break;
    if (step < 0) {
      return absl::DataLossError(
          absl::StrCat(path, ":", line_number, ": not a JSON object with an integer \"step\""));
    }
    if (step > last_step || kept.lines == most_lines) continue;
    absl::StrAppend(&kept.text, line, "\n");
    ++kept.lines;
  }
  return kept;
}

}  // namespace

MetricsRecord::MetricsRecord(int64_t step) : step_(step), text_(absl::StrCat("{\"step\":", step)) {
  CHECK_GE(step, 0);
}

void MetricsRecord::AddName(absl::string_view name) {
  absl::StrAppend(&text_, text_.back() == '{' ? "" : ",", Quoted(name), ":");
}

MetricsRecord& MetricsRecord::AddInteger(absl::string_view name, int64_t value) {
  AddName(name);
  absl::StrAppend(&text_, value);
  return *this;
}

MetricsRecord& MetricsRecord::AddNumber(absl::string_view name, double value) {
  AddName(name);
  if (!std::isfinite(value)) {
    text_ += std::isnan(value) ? "\"nan\"" : value > 0 ? "\"inf\"" : "\"-inf\"";
    return *this;
  }
  char digits[32];
  const std::to_chars_result result = std::to_chars(digits, digits + sizeof(digits), value);
  text_.append(digits, result.ptr);
  return *this;
}

MetricsRecord& MetricsRecord::AddText(absl::string_view name, absl::string_view value) {
  AddName(name);
  text_ += Quoted(value);
  return *this;
}

MetricsRecord& MetricsRecord::BeginGroup(absl::string_view name) {
  AddName(name);
  text_ += '{';
  ++open_groups_;
  return *this;
}

MetricsRecord& MetricsRecord::EndGroup() {
  CHECK_GT(open_groups_, 0);
  text_ += '}';
  --open_groups_;
  return *this;
}

std::string MetricsRecord::ToLine() const {
  CHECK_EQ(open_groups_, 0);
  return absl::StrCat(text_, "}");
}

absl::StatusOr<std::unique_ptr<MetricsLog>> MetricsLog::Open(const std::string& path,
                                                             int64_t last_step,
                                                             int64_t most_lines) {
  int64_t lines = 0;
  if (PathExists(path)) {
    ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
    ASSIGN_OR_RETURN(const KeptLines kept, KeepLines(path, text, last_step, most_lines));
    if (kept.text != text) RETURN_IF_ERROR(WriteFileAtomically(path, kept.text));
    lines = kept.lines;
  }
  const int fd = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return SystemError("open", path);
  return std::unique_ptr<MetricsLog>(new MetricsLog(path, fd, lines));
}

MetricsLog::~MetricsLog() { close(fd_); }

absl::Status MetricsLog::Append(const MetricsRecord& record) {
  const std::string line = record.ToLine() + "\n";
  for (absl::string_view rest = line; !rest.empty();) {
    const ssize_t written = write(fd_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return SystemError("write", path_);
    rest.remove_prefix(static_cast<size_t>(written));
  }
  ++lines_;
  return absl::OkStatus();
}

absl::Status MetricsLog::Sync() {
  if (fsync(fd_) != 0) return SystemError("sync", path_);
  return absl::OkStatus();
}

}  // namespace frond
