// Reads the configuration of a run: protobuf text format (schema: configs/train.proto) and
// `path=value` overrides from the command line.
#pragma once

#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "configs/train.pb.h"
#include "google/protobuf/message.h"

namespace frond {

// Parses the file at `path`, applies `sets` in their order (field_override.h) and puts imported
// files and schemas in their places (mixture_sources.h, source_schemas.h). The result holds only
// what was written: ResolveDefaults and ValidateTrainConfig come next. Errors are one line,
// `file:line:column: what`, and name the nearest right field or value.
absl::StatusOr<config::TrainConfig> ReadConfig(const std::string& path,
                                               std::span<const std::string> sets);

// The same for text that is at hand; `file` is what errors call it.
absl::StatusOr<config::TrainConfig> ParseConfig(absl::string_view text, absl::string_view file,
                                                std::span<const std::string> sets);

// Reads text format into `message`, of whatever schema; errors are as above.
absl::Status ParseText(absl::string_view text, absl::string_view file,
                       google::protobuf::Message& message);

// Text that ParseConfig reads back to an equal config.
std::string ConfigToText(const config::TrainConfig& config);

}  // namespace frond
