#include "checkpoint/work_folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/file.h"
#include "core/base/host_name.h"
#include "core/base/status_macros.h"

namespace frond {
namespace {

std::string Owner() { return absl::StrCat("process ", ::getpid(), " on ", HostName()); }

// What the owner wrote; it may not have come to it yet.
std::string ReadOwner(int fd) {
  char text[512];
  const ssize_t size = ::pread(fd, text, sizeof(text), 0);
  return size > 0 ? std::string(text, static_cast<size_t>(size)) : "another process";
}

}  // namespace

absl::StatusOr<std::unique_ptr<WorkFolderLock>> WorkFolderLock::Acquire(
    const std::string& work_folder) {
  RETURN_IF_ERROR(CreateDirectories(work_folder));
  const std::string path = JoinPath(work_folder, ".lock");
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) {
    return absl::PermissionDeniedError(
        absl::StrCat("cannot open lock '", path, "': ", std::strerror(errno)));
  }
  std::unique_ptr<WorkFolderLock> lock(new WorkFolderLock(fd));
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return absl::InternalError(absl::StrCat("cannot lock '", path, "': ", std::strerror(errno)));
    }
    return absl::UnavailableError(
        absl::StrCat("work folder '", work_folder, "' is in use by ", ReadOwner(fd),
                     ": wait until it ends, or choose another work folder"));
  }
  // The name is a help for people; the lock holds without it, even on a full disk.
  const std::string owner = Owner();
  if (::ftruncate(fd, 0) == 0) {
    [[maybe_unused]] const ssize_t wrote = ::pwrite(fd, owner.data(), owner.size(), 0);
  }
  return lock;
}

// The file stays: removing it would let two processes lock two different files of one name.
WorkFolderLock::~WorkFolderLock() { ::close(fd_); }

}  // namespace frond
