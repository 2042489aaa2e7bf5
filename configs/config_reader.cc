#include "configs/config_reader.h"

#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "configs/field_override.h"
#include "configs/mixture_sources.h"
#include "configs/source_schemas.h"
#include "configs/text_error.h"
#include "core/base/check.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/text_format.h"

namespace frond {
namespace {

class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column,
                const std::string& message) override {
    if (!error_) error_ = TextError{.line = line, .column = column, .message = message};
  }
  const std::optional<TextError>& error() const { return error_; }

 private:
  std::optional<TextError> error_;
};

}  // namespace

absl::Status ParseText(absl::string_view text, absl::string_view file,
                       google::protobuf::Message& message) {
  if (text.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": ", text.size(), " bytes; a config is a text of a few kilobytes"));
  }
  google::protobuf::io::ArrayInputStream input(text.data(), static_cast<int>(text.size()));
  FirstError errors;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  if (!parser.Parse(&input, &message) || errors.error()) {
    const TextError error = errors.error().value_or(TextError{.message = "not a text config"});
    return ExplainTextError(file, text, *message.GetDescriptor(), error);
  }
  return absl::OkStatus();
}

absl::StatusOr<config::TrainConfig> ParseConfig(absl::string_view text, absl::string_view file,
                                                std::span<const std::string> sets) {
  config::TrainConfig config;
  RETURN_IF_ERROR(ParseText(text, file, config));
  for (const std::string& set : sets) RETURN_IF_ERROR(ApplyOverride(set, config));
  return config;
}

absl::StatusOr<config::TrainConfig> ReadConfig(const std::string& path,
                                               std::span<const std::string> sets) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  ASSIGN_OR_RETURN(config::TrainConfig config, ParseConfig(text, path, sets));
  if (config.data().has_mixture()) {
    RETURN_IF_ERROR(InlineImports(path, *config.mutable_data()->mutable_mixture()));
  }
  if (absl::Status status = ResolveSchemas(config); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat(path, ": ", std::string(status.message())));
  }
  return config;
}

std::string ConfigToText(const config::TrainConfig& config) {
  std::string text;
  google::protobuf::TextFormat::Printer printer;
  printer.SetUseUtf8StringEscaping(true);
  CHECK(printer.PrintToString(config, &text));
  return text;
}

}  // namespace frond
