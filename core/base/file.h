// The only door to the file system for files that must survive: whole-file reads, durable writes,
// memory maps. Every error names the file and the operating system's reason.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/hash.h"

namespace frond {

absl::StatusOr<std::string> ReadFile(const std::string& path);

// Writes beside, syncs, renames: after a crash the file is the old one or the new one. After an
// error nothing new is there. A link stays, and what it names is replaced; what is no file (a
// device, a pipe) stays too, and is written into.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view bytes);
// Whether a file can be put at `path`, as far as can be told before: an error where it is a folder,
// or where its folder is missing.
absl::Status CheckFilePlace(const std::string& path);

absl::Status CreateDirectories(const std::string& path);
absl::Status SyncDirectory(const std::string& path);
// The folder that `path` lies in: what was made or renamed there is known to the disk.
absl::Status SyncParentDirectory(const std::string& path);
absl::Status RenamePath(const std::string& from, const std::string& to);
absl::Status RemoveRecursively(const std::string& path);
bool PathExists(const std::string& path);
bool IsDirectory(const std::string& path);
// Names (not paths) in a folder, sorted.
absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path);
std::string JoinPath(absl::string_view folder, absl::string_view name);
// What stands behind the last slash.
std::string BaseName(absl::string_view path);

// Size and XXH3 checksum of a file's bytes.
struct FileDigest {
  uint64_t size = 0;
  uint64_t checksum = 0;
};
// Reads the whole file, a piece at a time; a failing disk is an error and not a signal, as it would
// be through a memory map.
absl::StatusOr<FileDigest> DigestFile(const std::string& path);

// Hands bytes [offset, offset + size) of a file to `consume`, in order and a piece at a time. A
// file that ends before is an error.
absl::Status ReadFileRange(const std::string& path, uint64_t offset, uint64_t size,
                           const std::function<void(absl::string_view)>& consume);

// Makes a file of `size` zero bytes, or makes an existing one that. Takes no space on the disk yet,
// and is not synced.
absl::Status CreateFileOfSize(const std::string& path, uint64_t size);

// Writes anywhere into an existing file. Several processes may write one file, each its own bytes.
// Close() syncs what was written here to the disk.
class RangeWriter {
 public:
  static absl::StatusOr<std::unique_ptr<RangeWriter>> Open(const std::string& path);
  ~RangeWriter();
  RangeWriter(const RangeWriter&) = delete;
  RangeWriter& operator=(const RangeWriter&) = delete;

  absl::Status WriteAt(uint64_t offset, absl::string_view bytes);
  absl::Status Close();

 private:
  RangeWriter(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string path_;
  int fd_;
};

// Appends to a new file and keeps its size and checksum. Close() syncs to the disk; a writer
// destroyed before Close() leaves an incomplete file behind.
class FileWriter {
 public:
  static absl::StatusOr<std::unique_ptr<FileWriter>> Create(const std::string& path);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  absl::Status Append(absl::string_view bytes);
  absl::Status Close();
  uint64_t size() const { return size_; }
  uint64_t checksum() const { return hash_.Digest(); }  // XXH3 of all bytes appended so far

 private:
  FileWriter(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string path_;
  int fd_;
  uint64_t size_ = 0;
  StreamingHash hash_;
};

// A file mapped read-only; the bytes live as long as the object.
class MappedFile {
 public:
  static absl::StatusOr<std::unique_ptr<MappedFile>> Open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  absl::string_view bytes() const { return {static_cast<const char*>(data_), size_}; }

 private:
  MappedFile(void* data, size_t size) : data_(data), size_(size) {}
  void* data_;
  size_t size_;
};

}  // namespace frond
