// What the caches of data sets are named by: descriptions of what they were made of, as text to be
// hashed.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace frond {

// Appends a value such that no two lists of values give the same text.
void DescribeValue(absl::string_view value, std::string* text);

// Appends a file's size and time of change.
absl::Status DescribeFileState(const std::string& path, std::string* text);

// The name of a cache's files without their endings: `name` as far as it may stand in a file name,
// and the key.
std::string CacheFileStem(absl::string_view name, uint64_t key);

}  // namespace frond
