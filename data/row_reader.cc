#include "data/row_reader.h"

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "data/jsonl_reader.h"
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
  if (example->language.empty()) example->language = layout.default_language;
  if (!example->language.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("field '", fields.language,
                   "' is missing; name it under 'fields' or set the source's 'language'"));
}

}  // namespace

absl::Status RowBlock::ReadNames(size_t row, const nlohmann::json& raw, Example* example) const {
  return AtRow(row, FillNames(raw, layout(), example));
}

absl::Status RowBlock::AtRow(size_t row, const absl::Status& status) const {
  if (status.ok()) return status;
  return absl::Status(status.code(),
                      absl::StrCat(path(), ":", number(row), ": ", status.message()));
}

absl::StatusOr<std::unique_ptr<RowReader>> RowReader::Open(const RowFile& file,
                                                           const RowLayout& layout) {
  return OpenJsonl(file, layout);
}

}  // namespace frond
