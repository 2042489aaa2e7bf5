#include "checkpoint/commit_record.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "checkpoint/cell_sum.h"
#include "core/base/check.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/status_macros.h"

namespace frond {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kFormat[] = "frond commit record";
// 1 has whole files' checksums only; 2 has ranges too.
constexpr int kPlainFormat = 1;
constexpr int kRangesFormat = 2;

absl::Status Damaged(const std::string& path, absl::string_view what) {
  return absl::DataLossError(absl::StrCat("'", path, "': ", what));
}

Json RenderFile(const FileRecord& file) {
  Json json = {{"path", file.path}, {"size", file.size}};
  if (file.ranges.empty()) {
    json["xxh3"] = HashToHex(file.checksum);
    return json;
  }
  json["ranges"] = Json::array();
  for (const FileRange& range : file.ranges) {
    json["ranges"].push_back({{"name", range.name},
                              {"bytes", range.bytes},
                              {"cell", range.cell_bytes},
                              {"sum", HashToHex(range.checksum)}});
  }
  return json;
}

// The one text of a list of files. The checksum covers all before it, and readers compare whole
// texts, so that no bit of a record can change unseen.
std::string Render(const std::vector<FileRecord>& files) {
  const bool has_ranges = std::any_of(files.begin(), files.end(),
                                      [](const FileRecord& file) { return !file.ranges.empty(); });
  Json record;
  record["format"] = kFormat;
  record["format_number"] = has_ranges ? kRangesFormat : kPlainFormat;
  record["files"] = Json::array();
  for (const FileRecord& file : files) record["files"].push_back(RenderFile(file));
  record["checksum"] = HashToHex(Hash64(record.dump(1)));
  return record.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::optional<uint64_t> ParseHex(const Json& json) {
  if (!json.is_string()) return std::nullopt;
  const std::string& text = json.get_ref<const std::string&>();
  if (text.size() != 16) return std::nullopt;
  uint64_t value = 0;
  for (const char c : text) {
    const char* const digits = "0123456789abcdef";
    const char* at = std::strchr(digits, c);
    if (c == '\0' || at == nullptr) return std::nullopt;
    value = value << 4 | static_cast<uint64_t>(at - digits);
  }
  return value;
}

bool HasText(const Json& json, const char* field) {
  return json.contains(field) && json[field].is_string();
}
bool HasNumber(const Json& json, const char* field) {
  return json.contains(field) && json[field].is_number_unsigned();
}

// The range that begins at `offset`.
std::optional<FileRange> ParseRange(const Json& json, uint64_t offset) {
  if (!json.is_object() || !HasText(json, "name") || !HasNumber(json, "bytes") ||
      !HasNumber(json, "cell") || !json.contains("sum")) {
    return std::nullopt;
  }
  const std::optional<uint64_t> checksum = ParseHex(json["sum"]);
  const uint64_t bytes = json["bytes"].get<uint64_t>(), cell = json["cell"].get<uint64_t>();
  if (!checksum || cell == 0 || bytes % cell != 0) return std::nullopt;
  return FileRange{json["name"].get<std::string>(), offset, bytes, cell, *checksum};
}

// Ranges that fill the file.
bool ParseRanges(const Json& json, FileRecord& file) {
  if (!json.is_array() || json.empty()) return false;
  uint64_t offset = 0;
  for (const Json& entry : json) {
    std::optional<FileRange> range = ParseRange(entry, offset);
    if (!range || __builtin_add_overflow(offset, range->bytes, &offset)) return false;
    file.ranges.push_back(*std::move(range));
  }
  return offset == file.size;
}

std::optional<FileRecord> ParseFile(const Json& json) {
  if (!json.is_object() || !HasText(json, "path") || !HasNumber(json, "size")) return std::nullopt;
  FileRecord file{json["path"].get<std::string>(), json["size"].get<uint64_t>()};
  if (json.contains("ranges")) {
    if (!ParseRanges(json["ranges"], file)) return std::nullopt;
    return file;
  }
  if (!json.contains("xxh3")) return std::nullopt;
  const std::optional<uint64_t> checksum = ParseHex(json["xxh3"]);
  if (!checksum) return std::nullopt;
  file.checksum = *checksum;
  return file;
}

// Paths of all regular files relative to `folder`, sorted, without the record itself; and the
// folders that hold them.
struct Listing {
  std::vector<std::string> files;
  std::vector<std::string> folders;
};
absl::StatusOr<Listing> ListFiles(const std::string& folder) {
  namespace fs = std::filesystem;
  Listing listing;
  listing.folders.push_back(folder);
  std::error_code code;
  fs::recursive_directory_iterator it(folder, code);
  for (const fs::recursive_directory_iterator end; !code && it != end; it.increment(code)) {
    if (it->is_directory(code)) listing.folders.push_back(it->path().string());
    if (!it->is_regular_file(code)) continue;
    std::string relative = it->path().lexically_relative(folder).string();
    if (relative != kCommitRecordName) listing.files.push_back(std::move(relative));
  }
  if (code) {
    return absl::InternalError(absl::StrCat("cannot list folder '", folder, "': ", code.message()));
  }
  std::sort(listing.files.begin(), listing.files.end());
  return listing;
}

absl::StatusOr<uint64_t> FileSize(const std::string& path) {
  std::error_code code;
  const uint64_t size = std::filesystem::file_size(path, code);
  if (code == std::errc::no_such_file_or_directory) {
    return absl::DataLossError(absl::StrCat("'", path, "' is missing"));
  }
  if (code) return Damaged(path, code.message());
  return size;
}

absl::Status SyncFile(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = fd >= 0 && ::fsync(fd) == 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (synced) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("cannot sync '", path, "': ", std::strerror(error)));
}

absl::Status CheckSize(const std::string& folder, const FileRecord& file) {
  const std::string path = JoinPath(folder, file.path);
  ASSIGN_OR_RETURN(const uint64_t size, FileSize(path));
  if (size == file.size) return absl::OkStatus();
  return Damaged(path, absl::StrCat("has ", size, " bytes, but ", file.size, " were written"));
}

absl::Status CheckRange(const std::string& path, const FileRange& range) {
  CellSum cells(range.cell_bytes, 0);
  RETURN_IF_ERROR(ReadFileRange(path, range.offset, range.bytes,
                                [&](absl::string_view piece) { cells.Add(piece); }));
  if (cells.sum() == range.checksum) return absl::OkStatus();
  const std::string what =
      range.name.empty() ? "its header" : absl::StrCat("tensor '", range.name, "'");
  return Damaged(path, absl::StrCat("checksum of ", what, " is ", HashToHex(cells.sum()), ", but ",
                                    HashToHex(range.checksum), " was written"));
}

absl::Status CheckWhole(const std::string& path, const FileRecord& file) {
  ASSIGN_OR_RETURN(const FileDigest digest, DigestFile(path));
  if (digest.checksum == file.checksum) return absl::OkStatus();
  return Damaged(path, absl::StrCat("checksum is ", HashToHex(digest.checksum), ", but ",
                                    HashToHex(file.checksum), " was written"));
}

// Shares ranges of bytes, asked for in order, out among readers by where their middle lies.
class ReadingShares {
 public:
  ReadingShares(uint64_t total_bytes, const AxisPlace& reader)
      : total_bytes_(total_bytes), reader_(reader) {}

  bool IsMine(uint64_t bytes) {
    const double middle = static_cast<double>(done_) + static_cast<double>(bytes) / 2;
    done_ += bytes;
    if (total_bytes_ == 0) return reader_.rank == 0;
    const double place = middle / static_cast<double>(total_bytes_) * reader_.size;
    return std::min(static_cast<int>(place), reader_.size - 1) == reader_.rank;
  }

 private:
  uint64_t total_bytes_;
  AxisPlace reader_;
  uint64_t done_ = 0;
};

absl::Status CheckShare(const std::string& folder, const FileRecord& file, ReadingShares& shares) {
  const std::string path = JoinPath(folder, file.path);
  if (file.ranges.empty()) {
    return shares.IsMine(file.size) ? CheckWhole(path, file) : absl::OkStatus();
  }
  for (const FileRange& range : file.ranges) {
    if (shares.IsMine(range.bytes)) RETURN_IF_ERROR(CheckRange(path, range));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteCommitRecord(const std::string& folder, const std::vector<FileRecord>& known) {
  std::map<std::string, FileRecord> by_path;
  for (const FileRecord& file : known) {
    CHECK(by_path.emplace(file.path, file).second) << "recorded twice: " << file.path;
    RETURN_IF_ERROR(CheckSize(folder, file));
  }
  ASSIGN_OR_RETURN(const Listing listing, ListFiles(folder));
  for (const std::string& relative : listing.files) {
    if (by_path.contains(relative)) continue;
    const std::string path = JoinPath(folder, relative);
    RETURN_IF_ERROR(SyncFile(path));
    ASSIGN_OR_RETURN(const FileDigest digest, DigestFile(path));
    by_path[relative] = {relative, digest.size, digest.checksum, {}};
  }
  for (const std::string& inner : listing.folders) RETURN_IF_ERROR(SyncDirectory(inner));
  std::vector<FileRecord> files;
  for (const auto& [path, file] : by_path) files.push_back(file);
  return WriteFileAtomically(JoinPath(folder, kCommitRecordName), Render(files));
}

absl::StatusOr<std::vector<FileRecord>> ReadCommitRecord(const std::string& folder) {
  const std::string path = JoinPath(folder, kCommitRecordName);
  if (!PathExists(path)) return Damaged(path, "is missing: the checkpoint was never finished");
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ParseCommitRecord(path, text);
}

absl::StatusOr<std::vector<FileRecord>> ParseCommitRecord(const std::string& path,
                                                          const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("files") || !json["files"].is_array()) {
    return Damaged(path, "is not a commit record");
  }
  const Json number = json.value("format_number", Json());
  if (number != kPlainFormat && number != kRangesFormat) {
    return Damaged(path, absl::StrCat("has a format_number other than ", kPlainFormat, " and ",
                                      kRangesFormat));
  }
  std::vector<FileRecord> files;
  for (const Json& entry : json["files"]) {
    std::optional<FileRecord> file = ParseFile(entry);
    if (!file) return Damaged(path, absl::StrCat("has a damaged entry ", files.size()));
    files.push_back(*std::move(file));
  }
  if (Render(files) != text) return Damaged(path, "does not have the checksum that it states");
  return files;
}

absl::Status VerifyCommitRecord(const std::string& folder, const AxisPlace& reader) {
  ASSIGN_OR_RETURN(const std::vector<FileRecord> files, ReadCommitRecord(folder));
  uint64_t total_bytes = 0;
  for (const FileRecord& file : files) {
    RETURN_IF_ERROR(CheckSize(folder, file));
    total_bytes += file.size;
  }
  ReadingShares shares(total_bytes, reader);
  for (const FileRecord& file : files) RETURN_IF_ERROR(CheckShare(folder, file, shares));
  return absl::OkStatus();
}

}  // namespace frond
