// Turns an error of protobuf's text parser into one line that says what would be right.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"

namespace frond {

// Where and what the parser complained about; both numbers count from 0, -1 where it gave none.
struct TextError {
  int line = -1;
  int column = -1;
  std::string message;
};

// `file:line:column: what`, counted from 1. `text` is the whole file, `root` the type that was
// read.
absl::Status ExplainTextError(absl::string_view file, absl::string_view text,
                              const google::protobuf::Descriptor& root, const TextError& error);

}  // namespace frond
