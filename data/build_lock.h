// Lets one process or thread build a file that many want, while the others wait.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace frond {

// Held until it is destroyed; the system frees it when the process dies.
class BuildLock {
 public:
  // `path` is a file of its own, made where it does not exist. Where another holds the lock, a line
  // says that we wait for another process that `does` what it does ("tokenises 'aya'").
  static absl::StatusOr<std::unique_ptr<BuildLock>> Wait(const std::string& path,
                                                         absl::string_view does);
  ~BuildLock();
  BuildLock(const BuildLock&) = delete;
  BuildLock& operator=(const BuildLock&) = delete;

 private:
  explicit BuildLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace frond
