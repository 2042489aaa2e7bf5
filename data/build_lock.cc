#include "data/build_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/log.h"

namespace frond {
namespace {

absl::Status Failure(absl::string_view what, absl::string_view path) {
  return absl::InternalError(absl::StrCat(what, " '", path, "': ", std::strerror(errno)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<BuildLock>> BuildLock::Wait(const std::string& path,
                                                           absl::string_view does) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return Failure("cannot create", path);
  std::unique_ptr<BuildLock> lock(new BuildLock(fd));
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno == EWOULDBLOCK) LOG(INFO) << "waiting for another process that " << does;
  while (::flock(fd, LOCK_EX) != 0) {
    if (errno != EINTR) return Failure("cannot lock", path);
  }
  return lock;
}

BuildLock::~BuildLock() { ::close(fd_); }

}  // namespace frond
