#include "data/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/check.h"
#include "core/base/status_macros.h"

namespace frond {
namespace {

constexpr size_t kChunk = 1 << 18;

// The bytes of the file as they are on disk.
class PlainFile : public ByteSource {
 public:
  PlainFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  ~PlainFile() override { ::close(fd_); }
  PlainFile(const PlainFile&) = delete;
  PlainFile& operator=(const PlainFile&) = delete;

  absl::StatusOr<size_t> Read(char* buffer, size_t capacity) override {
    while (true) {
      const ssize_t got = ::read(fd_, buffer, capacity);
      if (got >= 0) return static_cast<size_t>(got);
      if (errno != EINTR) {
        return absl::InternalError(
            absl::StrCat("cannot read '", path_, "': ", std::strerror(errno)));
      }
    }
  }

  // The first bytes of the file, which stay to be read.
  std::string Peek(size_t count) const {
    std::string bytes(count, '\0');
    const ssize_t got = ::pread(fd_, bytes.data(), count, 0);
    bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return bytes;
  }

  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int fd_;
};

// Packed bytes read ahead of the decoder.
class PackedInput {
 public:
  explicit PackedInput(std::unique_ptr<PlainFile> file) : file_(std::move(file)), buffer_(kChunk) {}

  // Makes data() non-empty unless the file is at its end.
  absl::Status Fill() {
    if (begin_ < end_) return absl::OkStatus();
    ASSIGN_OR_RETURN(end_, file_->Read(buffer_.data(), buffer_.size()));
    begin_ = 0;
    return absl::OkStatus();
  }
  absl::string_view data() const { return {buffer_.data() + begin_, end_ - begin_}; }
  void Consume(size_t count) { begin_ += count; }
  const std::string& path() const { return file_->path(); }

 private:
  std::unique_ptr<PlainFile> file_;
  std::vector<char> buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
};

class GzipSource : public ByteSource {
 public:
  explicit GzipSource(std::unique_ptr<PlainFile> file) : input_(std::move(file)) {
    // 15: the largest window; +16: gzip framing only.
    CHECK_EQ(inflateInit2(&stream_, 15 + 16), Z_OK);
  }
  ~GzipSource() override { inflateEnd(&stream_); }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;

  absl::StatusOr<size_t> Read(char* buffer, size_t capacity) override {
    while (true) {
      RETURN_IF_ERROR(input_.Fill());
      if (input_.data().empty()) {
        if (member_done_) return size_t{0};
        return absl::DataLossError(
            absl::StrCat("'", input_.path(), "' ends in the middle of its gzip stream"));
      }
      if (std::exchange(member_done_, false)) inflateReset(&stream_);
      ASSIGN_OR_RETURN(const size_t made, Inflate(buffer, capacity));
      if (made > 0) return made;
    }
  }

 private:
  absl::StatusOr<size_t> Inflate(char* buffer, size_t capacity) {
    const absl::string_view data = input_.data();
    // zlib takes a pointer to non-const bytes that it only reads.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
    stream_.avail_in = static_cast<uInt>(data.size());
    stream_.next_out = reinterpret_cast<Bytef*>(buffer);
    const uInt room = static_cast<uInt>(std::min<size_t>(capacity, 1u << 30));
    stream_.avail_out = room;
    const int result = inflate(&stream_, Z_NO_FLUSH);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
      return absl::DataLossError(absl::StrCat(
          "'", input_.path(),
          "' is damaged gzip data: ", stream_.msg != nullptr ? stream_.msg : "cannot be unpacked"));
    }
    input_.Consume(data.size() - stream_.avail_in);
    member_done_ = result == Z_STREAM_END;
    return room - stream_.avail_out;
  }

  PackedInput input_;
  z_stream stream_ = {};
  bool member_done_ = false;
};

class ZstdSource : public ByteSource {
 public:
  explicit ZstdSource(std::unique_ptr<PlainFile> file)
      : input_(std::move(file)), stream_(ZSTD_createDStream()) {
    CHECK(stream_ != nullptr);
  }
  ~ZstdSource() override { ZSTD_freeDStream(stream_); }
  ZstdSource(const ZstdSource&) = delete;
  ZstdSource& operator=(const ZstdSource&) = delete;

  absl::StatusOr<size_t> Read(char* buffer, size_t capacity) override {
    while (true) {
      RETURN_IF_ERROR(input_.Fill());
      const absl::string_view data = input_.data();
      if (data.empty() && frame_done_) return size_t{0};
      ZSTD_inBuffer in = {data.data(), data.size(), 0};
      ZSTD_outBuffer out = {buffer, capacity, 0};
      const size_t hint = ZSTD_decompressStream(stream_, &out, &in);
      if (ZSTD_isError(hint)) {
        return absl::DataLossError(absl::StrCat(
            "'", input_.path(), "' is damaged Zstandard data: ", ZSTD_getErrorName(hint)));
      }
      input_.Consume(in.pos);
      frame_done_ = hint == 0;
      if (out.pos > 0) return out.pos;
      if (data.empty() && !frame_done_) {
        return absl::DataLossError(
            absl::StrCat("'", input_.path(), "' ends in the middle of its Zstandard stream"));
      }
    }
  }

 private:
  PackedInput input_;
  ZSTD_DStream* stream_;
  bool frame_done_ = true;
};

bool LooksLikeGzip(absl::string_view head) { return absl::StartsWith(head, "\x1F\x8B"); }

bool LooksLikeZstd(absl::string_view head) {
  if (absl::StartsWith(head, "\x28\xB5\x2F\xFD")) return true;
  // A skippable frame, which some packers write first.
  return head.size() >= 4 && (head[0] & 0xF0) == 0x50 && head.substr(1, 3) == "\x2A\x4D\x18";
}

}  // namespace

absl::StatusOr<std::unique_ptr<ByteSource>> ByteSource::Open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const std::string text = absl::StrCat("cannot open '", path, "': ", std::strerror(errno));
    return errno == ENOENT ? absl::NotFoundError(text) : absl::InvalidArgumentError(text);
  }
  auto file = std::make_unique<PlainFile>(path, fd);
  struct stat info;
  if (::fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat("'", path, "' is a folder; expected a file"));
  }
  const std::string head = file->Peek(4);
  if (LooksLikeGzip(head)) return std::make_unique<GzipSource>(std::move(file));
  if (LooksLikeZstd(head)) return std::make_unique<ZstdSource>(std::move(file));
  for (const absl::string_view ending : {".gz", ".zst"}) {
    if (!absl::EndsWith(path, ending)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("'", path, "' ends in ", ending, " but is neither gzip nor Zstandard data"));
  }
  return file;
}

}  // namespace frond
