#include "mixtures/pruning/scratch_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"

namespace frond {
namespace {

constexpr size_t kBufferBytes = 1 << 20;

}  // namespace

absl::StatusOr<std::unique_ptr<ScratchFile>> ScratchFile::Create(const std::string& folder) {
  std::string path = JoinPath(folder, ".frond-scratch-XXXXXX");
  const int fd = ::mkostemp(path.data(), O_CLOEXEC);
  if (fd < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot write in '", folder, "': ", std::strerror(errno)));
  }
  ::unlink(path.c_str());
  return std::unique_ptr<ScratchFile>(new ScratchFile(fd));
}

ScratchFile::~ScratchFile() { ::close(fd_); }

absl::StatusOr<uint64_t> ScratchFile::Append(absl::string_view text) {
  if (buffer_.size() + text.size() > kBufferBytes) RETURN_IF_ERROR(Flush());
  const uint64_t offset = written_ + buffer_.size();
  buffer_.append(text.data(), text.size());
  return offset;
}

absl::Status ScratchFile::Flush() {
  for (size_t done = 0; done < buffer_.size();) {
    const ssize_t got = ::pwrite(fd_, buffer_.data() + done, buffer_.size() - done,
                                 static_cast<off_t>(written_ + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return absl::ResourceExhaustedError(
          absl::StrCat("cannot write texts to compare: ", std::strerror(errno)));
    }
    done += static_cast<size_t>(got);
  }
  written_ += buffer_.size();
  buffer_.clear();
  return absl::OkStatus();
}

absl::StatusOr<std::string> ScratchFile::Read(uint64_t offset, size_t size) {
  if (offset >= written_) return buffer_.substr(static_cast<size_t>(offset - written_), size);
  std::string text(size, '\0');
  for (size_t done = 0; done < size;) {
    const ssize_t got =
        ::pread(fd_, text.data() + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      return absl::InternalError(
          absl::StrCat("cannot read texts to compare: ", got < 0 ? std::strerror(errno) : "short"));
    }
    done += static_cast<size_t>(got);
  }
  return text;
}

}  // namespace frond
