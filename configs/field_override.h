// `--set path=value`: one field of a config from the command line.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace frond {

// Sets one field. `assignment` is `path=value`:
//   optimizer.adafactor.decay_exponent=0.9   a dotted path; messages on the way are created, and a
//                                            member of a oneof replaces the other
//   data.source[0].weight=2                  an element of a list; index = size appends one
//   data.source[0].path=a.jsonl              a list of values becomes this one value
//   model.compute=BF16                       enums by name, bools true or false, text without
//   quotes optimizer.adamw={beta2: 0.95}            a whole message in text format
// An error names the part of the path that is wrong and what would be right; `message` is then
// unchanged or partly changed, and of no use.
absl::Status ApplyOverride(absl::string_view assignment, google::protobuf::Message& message);

}  // namespace frond
