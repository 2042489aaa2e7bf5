#include "data/row_files.h"

#include <glob.h>

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"

namespace frond {

absl::StatusOr<std::vector<std::string>> ExpandPaths(std::span<const std::string> patterns) {
  std::vector<std::string> paths;
  std::set<std::string> seen;
  for (const std::string& pattern : patterns) {
    std::vector<std::string> matches;
    if (PathExists(pattern)) {
      matches.push_back(pattern);  // also where the name itself holds a '['
    } else {
      glob_t found = {};
      const int result = ::glob(pattern.c_str(), GLOB_ERR, nullptr, &found);
      if (result == 0) matches.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
      ::globfree(&found);
    }
    if (matches.empty()) {
      return absl::NotFoundError(absl::StrCat("no file matches '", pattern, "'"));
    }
    std::sort(matches.begin(), matches.end());  // glob() sorts by the locale
    for (std::string& path : matches) {
      if (IsDirectory(path)) {
        return absl::InvalidArgumentError(
            absl::StrCat("'", path, "' is a folder; expected a file, or a glob such as '",
                         JoinPath(path, "*.jsonl"), "'"));
      }
      if (!seen.insert(path).second) {
        return absl::InvalidArgumentError(absl::StrCat("'", path, "' is named twice"));
      }
      paths.push_back(std::move(path));
    }
  }
  return paths;
}

absl::StatusOr<std::vector<RowFile>> FindRowFiles(std::span<const std::string> patterns) {
  ASSIGN_OR_RETURN(std::vector<std::string> paths, ExpandPaths(patterns));
  std::vector<RowFile> files;
  for (std::string& path : paths) files.push_back({.path = std::move(path)});
  return files;
}

}  // namespace frond
