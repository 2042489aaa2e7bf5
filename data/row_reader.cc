#include "data/row_reader.h"

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "data/csv_reader.h"
#include "data/jsonl_reader.h"
#include "data/parallel_text.h"
#include "data/parquet_reader.h"
#include "nlohmann/json.hpp"

namespace frond {
namespace {

// The text of a scalar; empty where the row has no such field or null.
absl::StatusOr<std::string> TextOf(const nlohmann::json& raw, const std::string& field) {
  const auto found = raw.find(field);
  if (found == raw.end() || found->is_null()) return "";
  if (found->is_string()) return found->get<std::string>();
  if (found->is_primitive()) return found->dump();
  return absl::InvalidArgumentError(
      absl::StrCat("field '", field, "' is an ", found->type_name(), "; expected text"));
}

absl::Status FillNames(const nlohmann::json& raw, const RowLayout& layout, Example* example) {
  const FieldNames& fields = layout.fields;
  ASSIGN_OR_RETURN(example->language, TextOf(raw, fields.language));
  ASSIGN_OR_RETURN(example->script, TextOf(raw, fields.script));
  ASSIGN_OR_RETURN(example->dataset_name, TextOf(raw, fields.dataset_name));
  ASSIGN_OR_RETURN(example->template_id, TextOf(raw, fields.template_id));
  ASSIGN_OR_RETURN(example->task_type, TextOf(raw, fields.task_type));
  return CompleteLanguage(layout, example);
}

}  // namespace

absl::Status RowBlock::ReadNames(size_t row, const nlohmann::json& raw, Example* example) const {
  return AtRow(row, FillNames(raw, layout(), example));
}

absl::StatusOr<absl::string_view> RowBlock::ReadLine(size_t row, std::string* storage) const {
  nlohmann::ordered_json raw;
  RETURN_IF_ERROR(ReadOrdered(row, &raw));
  const std::string& field = layout().fields.language;
  const auto language = raw.find(field);
  const bool has_language = language != raw.end() && !language->is_null() && *language != "";
  if (!has_language && !layout().default_language.empty()) raw[field] = layout().default_language;
  *storage = raw.dump(-1, ' ', /*ensure_ascii=*/false);
  return absl::string_view(*storage);
}

absl::Status RowBlock::AtRow(size_t row, const absl::Status& status) const {
  return AtLine(status, path(), number(row));
}

absl::StatusOr<std::unique_ptr<RowReader>> RowReader::Open(const RowFile& file,
                                                           const RowLayout& layout) {
  auto origin = std::make_shared<RowBlock::Origin>(RowBlock::Origin{file, layout});
  if (!layout.default_language.empty()) {
    origin->file.language.clear();
  } else {
    origin->layout.default_language = file.language;
  }
  if (!file.target_path.empty()) return OpenParallelText(std::move(origin));
  switch (FormatOf(file.path, layout)) {
    case RowFormat::kCsv:
      return OpenCsv(std::move(origin), ',');
    case RowFormat::kTsv:
      return OpenCsv(std::move(origin), '\t');
    case RowFormat::kParquet:
      return OpenParquet(std::move(origin));
    case RowFormat::kJsonl:
    case RowFormat::kByEnding:
      break;
  }
  return OpenJsonl(std::move(origin));
}

}  // namespace frond
