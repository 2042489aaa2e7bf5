#include "data/line_reader.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace frond {
namespace {

constexpr size_t kReadBytes = 1 << 18;

}  // namespace

absl::StatusOr<std::unique_ptr<LineReader>> LineReader::Open(const std::string& path) {
  ASSIGN_OR_RETURN(auto source, ByteSource::Open(path));
  return std::unique_ptr<LineReader>(new LineReader(path, std::move(source)));
}

absl::Status LineReader::ReadMore() {
  if (buffer_.size() - begin_ > kMaxLineBytes) {
    return absl::InvalidArgumentError(absl::StrCat(path_, ":", line_number_ + 1,
                                                   ": line is longer than ", kMaxLineBytes,
                                                   " bytes; expected lines of text"));
  }
  buffer_.erase(0, begin_);
  scanned_ -= begin_;
  begin_ = 0;
  const size_t size = buffer_.size();
  buffer_.resize(size + kReadBytes);
  ASSIGN_OR_RETURN(const size_t got, source_->Read(buffer_.data() + size, kReadBytes));
  buffer_.resize(size + got);
  at_end_ = got == 0;
  return absl::OkStatus();
}

absl::StatusOr<bool> LineReader::Next(absl::string_view* line) {
  size_t end = buffer_.find('\n', scanned_);
  while (end == std::string::npos && !at_end_) {
    scanned_ = buffer_.size();
    RETURN_IF_ERROR(ReadMore());
    end = buffer_.find('\n', scanned_);
  }
  if (end == std::string::npos) {
    if (begin_ == buffer_.size()) return false;
    end = buffer_.size();
  }
  *line = absl::string_view(buffer_).substr(begin_, end - begin_);
  begin_ = scanned_ = std::min(end + 1, buffer_.size());
  if (absl::EndsWith(*line, "\r")) line->remove_suffix(1);
  if (++line_number_ == 1 && absl::StartsWith(*line, "\xEF\xBB\xBF")) line->remove_prefix(3);
  return true;
}

}  // namespace frond
