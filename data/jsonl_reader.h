// Instruction data as JSON lines: one object a line, plain or packed (.gz, .zst).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/example.h"
#include "data/line_reader.h"

namespace frond {

// What the fields of an Example are called in a file; the defaults are the Aya collection's.
struct FieldNames {
  std::string inputs = "inputs";
  std::string targets = "targets";
  std::string language = "language";
  std::string script = "script";
  std::string dataset_name = "dataset_name";
  std::string template_id = "template_id";
  std::string task_type = "task_type";

  bool operator==(const FieldNames&) const = default;
};

struct JsonlOptions {
  FieldNames fields = {};
  // The language of rows that have none; empty: such a row is an error.
  std::string default_language = {};
  // A target of nothing but white space is an example and not an error.
  bool allow_empty_targets = false;
};

// Parses one line. Numbers and booleans become text as they are written, null counts as missing,
// other fields are ignored. Errors (malformed JSON, invalid UTF-8, a missing field, an object or
// array where text is expected, an empty target) say what and where in the line, without file and
// line number.
absl::Status ParseExample(absl::string_view line, const JsonlOptions& options, Example* example);

// True for lines of nothing but white space, which hold no example and no error.
bool IsBlankLine(absl::string_view line);

// The examples of one file in order. Errors read `file:line: what`.
class JsonlReader {
 public:
  static absl::StatusOr<std::unique_ptr<JsonlReader>> Open(const std::string& path,
                                                           JsonlOptions options);

  // False at the end of the file.
  absl::StatusOr<bool> Next(Example* example);

  int64_t line_number() const { return lines_->line_number(); }

 private:
  JsonlReader(std::unique_ptr<LineReader> lines, JsonlOptions options)
      : lines_(std::move(lines)), options_(std::move(options)) {}

  std::unique_ptr<LineReader> lines_;
  JsonlOptions options_;
};

// `status` with `path:line_number: ` before its message.
absl::Status AtLine(const absl::Status& status, absl::string_view path, int64_t line_number);

// The files that paths and globs (`*`, `?`, `[...]`) stand for: patterns in the given order, the
// matches of one sorted. A pattern without a match, a folder and a file named twice are errors.
absl::StatusOr<std::vector<std::string>> ExpandPaths(std::span<const std::string> patterns);

}  // namespace frond
