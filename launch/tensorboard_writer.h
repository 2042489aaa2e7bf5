// TensorBoard event files with scalars, without TensorFlow: TFRecord frames around Event messages
// (tensorflow/core/util/event.proto), whose few fields are encoded by hand.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace frond {

class TensorboardWriter {
 public:
  // Starts a new event file in `folder` (made where there is none) for the steps after `last_step`
  // and tells TensorBoard to forget what files of earlier starts hold beyond it. Files that were
  // started at `last_step` or later are removed.
  static absl::StatusOr<std::unique_ptr<TensorboardWriter>> Open(const std::string& folder,
                                                                 int64_t last_step);
  ~TensorboardWriter();
  TensorboardWriter(const TensorboardWriter&) = delete;
  TensorboardWriter& operator=(const TensorboardWriter&) = delete;

  // `tag` such as "train/loss"; the part before the slash groups charts. Kept in memory until
  // Flush().
  void AddScalar(absl::string_view tag, int64_t step, double value);
  absl::Status Flush();

  const std::string& path() const { return path_; }

 private:
  TensorboardWriter(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string path_;
  int fd_;
  std::string buffer_;
};

}  // namespace frond
