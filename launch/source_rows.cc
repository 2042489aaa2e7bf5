#include "launch/source_rows.h"

#include <string>

namespace frond {
namespace {

RowFormat FormatOf(config::Source::Format format) {
  switch (format) {
    case config::Source::JSONL:
      return RowFormat::kJsonl;
    case config::Source::CSV:
      return RowFormat::kCsv;
    case config::Source::TSV:
      return RowFormat::kTsv;
    case config::Source::PARQUET:
      return RowFormat::kParquet;
    case config::Source::BY_ENDING:
      break;
  }
  return RowFormat::kByEnding;
}

}  // namespace

RowLayout RowLayoutOf(const config::Source& source) {
  const config::Fields& fields = source.fields();
  return {.format = FormatOf(source.format()),
          .fields = {.inputs = fields.inputs(),
                     .targets = fields.targets(),
                     .language = fields.language(),
                     .script = fields.script(),
                     .dataset_name = fields.dataset_name(),
                     .template_id = fields.template_id(),
                     .task_type = fields.task_type()},
          .default_language = source.language(),
          .columns = {source.column().begin(), source.column().end()},
          .quoting = source.quoting()};
}

absl::StatusOr<std::vector<RowFile>> RowFilesOf(const config::Source& source) {
  const std::vector<std::string> paths(source.path().begin(), source.path().end());
  const std::vector<std::string> targets(source.target_path().begin(), source.target_path().end());
  return FindRowFiles(paths, targets);
}

}  // namespace frond
