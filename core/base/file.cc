#include "core/base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace frond {
namespace {

// What a person can put right (a path, rights, space) is told apart from a failing machine.
absl::Status StatusOfErrno(int error, absl::string_view what, absl::string_view path) {
  const std::string text = absl::StrCat(what, " '", path, "': ", std::strerror(error));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(text);
    case ENOSPC:
    case EFBIG:
    case EDQUOT:
      return absl::ResourceExhaustedError(text);
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(text);
    case ENOTDIR:
    case EISDIR:
    case EEXIST:
    case EROFS:
    case ELOOP:
    case ENAMETOOLONG:
      return absl::FailedPreconditionError(text);
    default:
      return absl::InternalError(text);
  }
}

absl::Status ErrnoStatus(absl::string_view what, absl::string_view path) {
  return StatusOfErrno(errno, what, path);
}

absl::Status FromErrorCode(absl::string_view what, absl::string_view path,
                           const std::error_code& code) {
  return StatusOfErrno(code.value(), what, path);
}

// Calls `consume` with the file's bytes in pieces of at most `piece_bytes`.
template <class Consume>
absl::Status ReadPieces(const std::string& path, size_t piece_bytes, Consume&& consume) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus("cannot open", path);
  std::vector<char> buffer(piece_bytes);
  while (true) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      absl::Status status = ErrnoStatus("cannot read", path);
      ::close(fd);
      return status;
    }
    if (got == 0) break;
    consume(absl::string_view(buffer.data(), static_cast<size_t>(got)));
  }
  ::close(fd);
  return absl::OkStatus();
}

absl::Status SyncAndClose(int fd, const std::string& path) {
  if (::fsync(fd) != 0) {
    absl::Status status = ErrnoStatus("cannot sync", path);
    ::close(fd);
    return status;
  }
  if (::close(fd) != 0) return ErrnoStatus("cannot close", path);
  return absl::OkStatus();
}

std::string ParentOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

absl::Status WriteAll(int fd, absl::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd, bytes.data(), std::min<size_t>(bytes.size(), 1u << 30));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return ErrnoStatus("cannot write", path);
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
  return absl::OkStatus();
}

// A new file, synced.
absl::Status WriteFile(const std::string& path, absl::string_view bytes) {
  ASSIGN_OR_RETURN(auto writer, FileWriter::Create(path));
  RETURN_IF_ERROR(writer->Append(bytes));
  return writer->Close();
}

// What there is, a device or a pipe, which cannot be synced.
absl::Status WriteInto(const std::string& path, absl::string_view bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus("cannot open", path);
  const absl::Status status = WriteAll(fd, bytes, path);
  ::close(fd);
  return status;
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::string bytes;
  RETURN_IF_ERROR(ReadPieces(
      path, 1 << 16, [&](absl::string_view piece) { bytes.append(piece.data(), piece.size()); }));
  return bytes;
}

absl::StatusOr<FileDigest> DigestFile(const std::string& path) {
  FileDigest digest;
  StreamingHash hash;
  RETURN_IF_ERROR(ReadPieces(path, 1 << 20, [&](absl::string_view piece) {
    digest.size += piece.size();
    hash.Add(piece);
  }));
  digest.checksum = hash.Digest();
  return digest;
}

absl::Status ReadFileRange(const std::string& path, uint64_t offset, uint64_t size,
                           const std::function<void(absl::string_view)>& consume) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus("cannot open", path);
  absl::Status status;
  std::vector<char> buffer(std::min<uint64_t>(size, 1 << 20));
  for (uint64_t done = 0; done < size;) {
    const size_t wanted = std::min<uint64_t>(buffer.size(), size - done);
    const ssize_t got = ::pread(fd, buffer.data(), wanted, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) status = ErrnoStatus("cannot read", path);
    if (got == 0) {
      status = absl::DataLossError(
          absl::StrCat("'", path, "' ends at byte ", offset + done, ", before ", offset + size));
    }
    if (got <= 0) break;
    consume(absl::string_view(buffer.data(), static_cast<size_t>(got)));
    done += static_cast<uint64_t>(got);
  }
  ::close(fd);
  return status;
}

absl::Status CreateFileOfSize(const std::string& path, uint64_t size) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoStatus("cannot create", path);
  absl::Status status;
  if (::ftruncate(fd, static_cast<off_t>(size)) != 0) status = ErrnoStatus("cannot write", path);
  ::close(fd);
  return status;
}

absl::Status WriteFileAtomically(const std::string& path, absl::string_view bytes) {
  namespace fs = std::filesystem;
  constexpr int kMaxLinks = 40;
  std::error_code code;
  std::string target = path;
  // By hand, since a link may name what does not exist yet.
  for (int links = 0; fs::is_symlink(fs::symlink_status(target, code)); ++links) {
    const fs::path next = fs::read_symlink(target, code);
    if (links == kMaxLinks) code = std::make_error_code(std::errc::too_many_symbolic_link_levels);
    if (code) return FromErrorCode("cannot follow", path, code);
    target = (fs::path(target).parent_path() / next).string();
  }
  const fs::file_status there = fs::status(target, code);
  if (fs::exists(there) && !fs::is_regular_file(there) && !fs::is_directory(there)) {
    return WriteInto(target, bytes);
  }
  const std::string beside = target + ".tmp";
  absl::Status status = WriteFile(beside, bytes);
  if (status.ok()) status = RenamePath(beside, target);
  if (!status.ok()) {
    fs::remove(beside, code);
    return status;
  }
  return SyncParentDirectory(target);
}

absl::Status CheckFilePlace(const std::string& path) {
  if (IsDirectory(path)) {
    return absl::FailedPreconditionError(absl::StrCat("'", path, "' is a folder, not a file"));
  }
  const std::string folder = ParentOf(path);
  if (IsDirectory(folder)) return absl::OkStatus();
  return absl::NotFoundError(
      absl::StrCat("cannot create '", path, "': there is no folder '", folder, "'"));
}

absl::Status CreateDirectories(const std::string& path) {
  std::error_code code;
  std::filesystem::create_directories(path, code);
  if (code) return FromErrorCode("cannot create folder", path, code);
  return absl::OkStatus();
}

absl::Status SyncDirectory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus("cannot open folder", path);
  const int result = ::fsync(fd);
  absl::Status status = result == 0 ? absl::OkStatus() : ErrnoStatus("cannot sync folder", path);
  ::close(fd);
  return status;
}

absl::Status SyncParentDirectory(const std::string& path) { return SyncDirectory(ParentOf(path)); }

absl::Status RenamePath(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    return ErrnoStatus(absl::StrCat("cannot rename '", from, "' to"), to);
  }
  return absl::OkStatus();
}

absl::Status RemoveRecursively(const std::string& path) {
  std::error_code code;
  std::filesystem::remove_all(path, code);
  if (code) return FromErrorCode("cannot remove", path, code);
  return absl::OkStatus();
}

bool PathExists(const std::string& path) {
  std::error_code code;
  return std::filesystem::exists(path, code);
}

bool IsDirectory(const std::string& path) {
  std::error_code code;
  return std::filesystem::is_directory(path, code);
}

absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path) {
  std::error_code code;
  std::vector<std::string> names;
  std::filesystem::directory_iterator it(path, code);
  if (code) return FromErrorCode("cannot list folder", path, code);
  for (const auto end = std::filesystem::directory_iterator(); it != end; it.increment(code)) {
    names.push_back(it->path().filename().string());
  }
  // An iterator that could not go on is at the end.
  if (code) return FromErrorCode("cannot list folder", path, code);
  std::sort(names.begin(), names.end());
  return names;
}

std::string JoinPath(absl::string_view folder, absl::string_view name) {
  if (folder.empty()) return std::string(name);
  return absl::StrCat(folder, folder.back() == '/' ? "" : "/", name);
}

std::string BaseName(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return std::string(slash == path.npos ? path : path.substr(slash + 1));
}

absl::StatusOr<std::unique_ptr<FileWriter>> FileWriter::Create(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoStatus("cannot create", path);
  return std::unique_ptr<FileWriter>(new FileWriter(path, fd));
}

FileWriter::~FileWriter() {
  if (fd_ >= 0) ::close(fd_);
}

absl::Status FileWriter::Append(absl::string_view bytes) {
  hash_.Add(bytes);
  size_ += bytes.size();
  return WriteAll(fd_, bytes, path_);
}

absl::Status FileWriter::Close() { return SyncAndClose(std::exchange(fd_, -1), path_); }

absl::StatusOr<std::unique_ptr<RangeWriter>> RangeWriter::Open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus("cannot open", path);
  return std::unique_ptr<RangeWriter>(new RangeWriter(path, fd));
}

RangeWriter::~RangeWriter() {
  if (fd_ >= 0) ::close(fd_);
}

absl::Status RangeWriter::WriteAt(uint64_t offset, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::pwrite(fd_, bytes.data(), std::min<size_t>(bytes.size(), 1u << 30),
                                   static_cast<off_t>(offset));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return ErrnoStatus("cannot write", path_);
    bytes.remove_prefix(static_cast<size_t>(wrote));
    offset += static_cast<uint64_t>(wrote);
  }
  return absl::OkStatus();
}

absl::Status RangeWriter::Close() { return SyncAndClose(std::exchange(fd_, -1), path_); }

absl::StatusOr<std::unique_ptr<MappedFile>> MappedFile::Open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus("cannot open", path);
  struct stat info;
  if (::fstat(fd, &info) != 0) {
    absl::Status status = ErrnoStatus("cannot stat", path);
    ::close(fd);
    return status;
  }
  if (!S_ISREG(info.st_mode)) {
    ::close(fd);
    return absl::InvalidArgumentError(absl::StrCat("'", path, "' is not a regular file"));
  }
  const size_t size = static_cast<size_t>(info.st_size);
  void* data = nullptr;
  if (size > 0) {
    data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED) {
      absl::Status status = ErrnoStatus("cannot map", path);
      ::close(fd);
      return status;
    }
  }
  ::close(fd);
  return std::unique_ptr<MappedFile>(new MappedFile(data, size));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace frond
