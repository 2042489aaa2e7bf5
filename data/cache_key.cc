#include "data/cache_key.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/base/hash.h"

namespace frond {

void DescribeValue(absl::string_view value, std::string* text) {
  absl::StrAppend(text, value.size(), ":", value, ";");
}

absl::Status DescribeFileState(const std::string& path, std::string* text) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) {
    return absl::NotFoundError(absl::StrCat("cannot stat '", path, "': ", std::strerror(errno)));
  }
  absl::StrAppend(text, info.st_size, " ", info.st_mtim.tv_sec, " ", info.st_mtim.tv_nsec, ";");
  return absl::OkStatus();
}

std::string CacheFileStem(absl::string_view name, uint64_t key) {
  std::string safe(name.substr(0, 100));
  for (char& c : safe) {
    if (!absl::ascii_isalnum(c) && c != '.' && c != '_' && c != '-') c = '_';
  }
  return absl::StrCat(safe, "-", HashToHex(key));
}

}  // namespace frond
