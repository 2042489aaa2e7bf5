// The lines of a text file, plain or packed (byte_source.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/byte_source.h"

namespace frond {

class LineReader {
 public:
  // Longer lines are an error: they are no text but bytes of something else, and would fill the
  // memory.
  static constexpr size_t kMaxLineBytes = size_t{64} << 20;

  static absl::StatusOr<std::unique_ptr<LineReader>> Open(const std::string& path);

  // Sets `line` to the next line without its end (\n or \r\n) and without the byte order mark that
  // some editors write; it stays valid until the next call. False at the end of the file.
  absl::StatusOr<bool> Next(absl::string_view* line);

  // Of the line that Next() gave last; the first is 1.
  int64_t line_number() const { return line_number_; }
  const std::string& path() const { return path_; }

 private:
  LineReader(std::string path, std::unique_ptr<ByteSource> source)
      : path_(std::move(path)), source_(std::move(source)) {}

  // Appends more bytes to buffer_, dropping those before begin_.
  absl::Status ReadMore();

  std::string path_;
  std::unique_ptr<ByteSource> source_;
  std::string buffer_;
  size_t begin_ = 0;    // of the next line in buffer_
  size_t scanned_ = 0;  // no line end in buffer_ between begin_ and here
  bool at_end_ = false;
  int64_t line_number_ = 0;
};

}  // namespace frond
