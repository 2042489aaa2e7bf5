// One process at a time in a work folder: two would overwrite each other's checkpoints.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace frond {

// Holds `<work folder>/.lock` (flock) while it lives. The operating system lets go of it when the
// process ends in whatever way, so a lock never outlives its owner. On network file systems the
// lock reaches as far as their flock does.
class WorkFolderLock {
 public:
  // Unavailable, naming process and host of the owner, where another holds it.
  static absl::StatusOr<std::unique_ptr<WorkFolderLock>> Acquire(const std::string& work_folder);
  ~WorkFolderLock();
  WorkFolderLock(const WorkFolderLock&) = delete;
  WorkFolderLock& operator=(const WorkFolderLock&) = delete;

 private:
  explicit WorkFolderLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace frond
