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

// The same for the files of a data set. Where a pattern holds `{language}`, as in
// "tatoeba/eng-{language}.tsv", any code of a language may stand ("sw", "swa", "zh-Hans",
// "afr_Latn"), which RowFile takes over. Where something else stands is an error;
// but a pattern that holds it twice matches only where both are the same. `*` before it takes as
// much as it can.
//
// With `target_patterns` the files are parallel text: the first of one list belongs to the first of
// the other, and so on; where one list has one file, that belongs to all of the other. What the
// target's path says of the language goes before what the other's says. Other errors: lists of
// different length, two files of a pair with different languages.
absl::StatusOr<std::vector<RowFile>> FindRowFiles(
    std::span<const std::string> patterns, std::span<const std::string> target_patterns = {});

}  // namespace frond
