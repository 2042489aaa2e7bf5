#include "launch/available_memory.h"

#include <algorithm>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/file.h"

namespace frond {
namespace {

constexpr char kGroups[] = "/sys/fs/cgroup";

// Empty where the file cannot be read: the kernel may have none.
std::string TextOf(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path);
  return text.ok() ? *std::move(text) : std::string();
}

// What is left to the group of this process (version 2 of control groups) or the container's root.
int64_t GroupMemory() {
  int64_t least = -1;
  std::string folder = kGroups;
  const std::string own = TextOf("/proc/self/cgroup");
  std::vector<std::string> folders = {folder};
  for (absl::string_view line : absl::StrSplit(own, '\n')) {
    if (!absl::ConsumePrefix(&line, "0::/")) continue;
    for (const absl::string_view part : absl::StrSplit(line, '/', absl::SkipEmpty())) {
      folders.push_back(folder = JoinPath(folder, std::string(part)));
    }
  }
  for (const std::string& at : folders) {
    const int64_t left = ParseGroupMemory(TextOf(JoinPath(at, "memory.max")),
                                          TextOf(JoinPath(at, "memory.current")));
    if (left >= 0) least = least < 0 ? left : std::min(least, left);
  }
  return least;
}

}  // namespace

int64_t ParseMemAvailable(absl::string_view meminfo) {
  for (absl::string_view line : absl::StrSplit(meminfo, '\n')) {
    if (!absl::ConsumePrefix(&line, "MemAvailable:")) continue;
    absl::ConsumeSuffix(&line, "kB");
    int64_t kilobytes = 0;
    return absl::SimpleAtoi(line, &kilobytes) && kilobytes >= 0 ? kilobytes * 1024 : -1;
  }
  return -1;
}

int64_t ParseGroupMemory(absl::string_view most, absl::string_view used) {
  int64_t limit = 0, taken = 0;
  if (!absl::SimpleAtoi(most, &limit) || !absl::SimpleAtoi(used, &taken)) return -1;
  return std::max<int64_t>(limit - taken, 0);
}

int64_t AvailableHostMemory() {
  const int64_t host = ParseMemAvailable(TextOf("/proc/meminfo"));
  const int64_t group = GroupMemory();
  if (host < 0 || group < 0) return std::max(host, group);
  return std::min(host, group);
}

}  // namespace frond
