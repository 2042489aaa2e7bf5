// metrics.jsonl: what happened in each step, one JSON object a line.
//
// A line is a pure function of the run's numbers (no clock, no host), so that a run that was killed
// and resumed leaves the same bytes as one that never stopped.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace frond {

// One line, built field by field; the fields keep their order, "step" is the first.
class MetricsRecord {
 public:
  explicit MetricsRecord(int64_t step);

  // Integers as they are; doubles in the shortest form that reads back to the same value ("nan",
  // "inf" and "-inf" as strings, for JSON has none); texts must be valid UTF-8.
  MetricsRecord& AddInteger(absl::string_view name, int64_t value);
  MetricsRecord& AddNumber(absl::string_view name, double value);
  MetricsRecord& AddText(absl::string_view name, absl::string_view value);
  // Starts an object; the fields that follow belong to it until EndGroup. Groups nest.
  MetricsRecord& BeginGroup(absl::string_view name);
  MetricsRecord& EndGroup();

  int64_t step() const { return step_; }
  // Without the line feed. Every group must have ended.
  std::string ToLine() const;

 private:
  void AddName(absl::string_view name);

  int64_t step_;
  std::string text_;  // without the last brace
  int open_groups_ = 0;
};

class MetricsLog {
 public:
  // Continues `path` after the run's `last_step` steps: lines of later steps, what follows the
  // first `most_lines` (negative: no such bound) and a last line that a crash has torn are dropped;
  // the file is made where there is none. For the joined file to equal an unbroken run's, Sync()
  // must come between the lines of a step and that step's checkpoint. A line in the middle that is
  // no JSON object with a "step" is an error that names file and line.
  static absl::StatusOr<std::unique_ptr<MetricsLog>> Open(const std::string& path,
                                                          int64_t last_step,
                                                          int64_t most_lines = -1);
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  // Hands the whole line to the operating system before it returns: it survives the process.
  absl::Status Append(const MetricsRecord& record);
  // All lines so far survive the machine.
  absl::Status Sync();
  // In the file.
  int64_t lines() const { return lines_; }

 private:
  MetricsLog(std::string path, int fd, int64_t lines)
      : path_(std::move(path)), fd_(fd), lines_(lines) {}
  std::string path_;
  int fd_;
  int64_t lines_;
};

}  // namespace frond
