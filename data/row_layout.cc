#include "data/row_layout.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace frond {

RowFormat FormatOf(absl::string_view path, const RowLayout& layout) {
  if (layout.format != RowFormat::kByEnding) return layout.format;
  if (!absl::ConsumeSuffix(&path, ".gz")) absl::ConsumeSuffix(&path, ".zst");
  if (absl::EndsWithIgnoreCase(path, ".csv")) return RowFormat::kCsv;
  if (absl::EndsWithIgnoreCase(path, ".tsv")) return RowFormat::kTsv;
  if (absl::EndsWithIgnoreCase(path, ".parquet")) return RowFormat::kParquet;
  return RowFormat::kJsonl;
}

std::array<ExampleField, 7> ExampleFields(const FieldNames& names) {
  return {{{&names.inputs, &Example::inputs},
           {&names.targets, &Example::targets},
           {&names.language, &Example::language},
           {&names.script, &Example::script},
           {&names.dataset_name, &Example::dataset_name},
           {&names.template_id, &Example::template_id},
           {&names.task_type, &Example::task_type}}};
}

absl::Status CompleteLanguage(const RowLayout& layout, Example* example) {
  if (example->language.empty()) example->language = layout.default_language;
  if (!example->language.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("field '", layout.fields.language,
                   "' is missing; name it under 'fields' or set the source's 'language'"));
}

absl::Status CompleteExample(const RowLayout& layout, Example* example) {
  if (!layout.allow_empty_targets && absl::StripAsciiWhitespace(example->targets).empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("field '", layout.fields.targets, "' is empty; expected the text to learn"));
  }
  return CompleteLanguage(layout, example);
}

}  // namespace frond
