// Instruction data as JSON lines: one object a line, plain or packed (.gz, .zst).
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/example.h"
#include "data/row_layout.h"
#include "data/row_reader.h"
#include "nlohmann/json_fwd.hpp"

namespace frond {

// Parses one line. Numbers and booleans become text as they are written, null counts as missing,
// other fields are ignored. Errors (malformed JSON, invalid UTF-8, a missing field, an object or
// array where text is expected, an empty target) say what and where in the line, without file and
// line number.
absl::Status ParseExample(absl::string_view line, const RowLayout& layout, Example* example);

// The line as JSON with all of its fields. Errors like those of ParseExample, and nesting of more
// than 500 levels.
absl::Status ParseRaw(absl::string_view line, nlohmann::json* raw);

// True for lines of nothing but white space, which hold no example and no error.
bool IsBlankLine(absl::string_view line);

// The rows of one JSONL file.
absl::StatusOr<std::unique_ptr<RowReader>> OpenJsonl(
    std::shared_ptr<const RowBlock::Origin> origin);

// `status`, if it is an error, with `path:line_number: ` before its message.
absl::Status AtLine(const absl::Status& status, absl::string_view path, int64_t line_number);

}  // namespace frond
