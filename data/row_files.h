// The files of a data set: from paths and globs to what RowReader opens.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/row_reader.h"

namespace frond {

// The files that paths and globs (`*`, `?`, `[...]`) stand for: patterns in the given order, the
// matches of one sorted. A pattern without a match, a folder and a file named twice are errors.
absl::StatusOr<std::vector<std::string>> ExpandPaths(std::span<const std::string> patterns);

// The same, with what the layout and the paths say of each file.
absl::StatusOr<std::vector<RowFile>> FindRowFiles(std::span<const std::string> patterns);

}  // namespace frond
