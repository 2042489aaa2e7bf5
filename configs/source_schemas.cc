#include "configs/source_schemas.h"

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/nearest_name.h"
#include "core/base/status_macros.h"

namespace frond {
namespace {

using google::protobuf::RepeatedPtrField;

absl::Status Wrong(std::string what) { return absl::InvalidArgumentError(std::move(what)); }

// The schemas that can be named at a place.
using Scope = std::map<std::string, config::Schema>;

// `scope` and the schemas of a place inside of it, which go before those of the same name.
absl::StatusOr<Scope> Within(Scope scope, const RepeatedPtrField<config::Schema>& schemas) {
  std::set<std::string> names;
  for (const config::Schema& schema : schemas) {
    if (schema.name().empty()) return Wrong("a schema has no name; sources name it by that");
    if (!names.insert(schema.name()).second) {
      return Wrong(absl::StrCat("two schemas of one place are called '", schema.name(), "'"));
    }
    scope[schema.name()] = schema;
  }
  return scope;
}

absl::Status Resolve(const Scope& scope, config::Source& source) {
  if (!source.has_schema()) return absl::OkStatus();
  const auto found = scope.find(source.schema());
  if (found == scope.end()) {
    std::vector<std::string> names;
    for (const auto& [name, schema] : scope) names.push_back(name);
    return Wrong(absl::StrCat(
        "schema '", source.schema(), "', which a source names, is nowhere; ",
        names.empty() ? "expected schema { name: ... fields { ... } } beside or around it"
                      : absl::StrCat("did you mean '", NearestName(source.schema(), names), "'?")));
  }
  const config::Schema& schema = found->second;
  config::Fields fields = schema.fields();
  fields.MergeFrom(source.fields());
  *source.mutable_fields() = std::move(fields);
  if (!source.has_language() && schema.has_language()) source.set_language(schema.language());
  if (!source.has_format() && schema.has_format()) source.set_format(schema.format());
  if (!source.has_quoting() && schema.has_quoting()) source.set_quoting(schema.quoting());
  if (source.column().empty()) *source.mutable_column() = schema.column();
  source.clear_schema();
  return absl::OkStatus();
}

absl::Status Resolve(const Scope& scope, RepeatedPtrField<config::Source>& sources) {
  for (config::Source& source : sources) RETURN_IF_ERROR(Resolve(scope, source));
  return absl::OkStatus();
}

absl::Status Resolve(const Scope& around, config::Mixture& group) {
  ASSIGN_OR_RETURN(const Scope scope, Within(around, group.schema()));
  group.clear_schema();
  if (group.has_prune()) {
    RETURN_IF_ERROR(Resolve(scope, *group.mutable_prune()->mutable_evaluation()));
  }
  for (config::Mixture& child : *group.mutable_group()) RETURN_IF_ERROR(Resolve(scope, child));
  for (config::Dataset& dataset : *group.mutable_dataset()) {
    RETURN_IF_ERROR(Resolve(scope, *dataset.mutable_source()));
    if (!dataset.has_prune()) continue;
    RETURN_IF_ERROR(Resolve(scope, *dataset.mutable_prune()->mutable_evaluation()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ResolveSchemas(config::TrainConfig& config) {
  ASSIGN_OR_RETURN(const Scope data, Within({}, config.data().schema()));
  ASSIGN_OR_RETURN(const Scope root, Within(data, config.data().mixture().schema()));
  if (config.has_eval()) {
    RETURN_IF_ERROR(Resolve(root, *config.mutable_eval()->mutable_source()));
  }
  if (!config.has_data()) return absl::OkStatus();
  RETURN_IF_ERROR(Resolve(data, *config.mutable_data()->mutable_source()));
  config.mutable_data()->clear_schema();
  if (!config.data().has_mixture()) return absl::OkStatus();
  return Resolve(data, *config.mutable_data()->mutable_mixture());
}

absl::Status ResolveSchemas(config::PruneConfig& config) {
  ASSIGN_OR_RETURN(const Scope scope, Within({}, config.schema()));
  config.clear_schema();
  RETURN_IF_ERROR(Resolve(scope, *config.mutable_source()));
  return Resolve(scope, *config.mutable_evaluation());
}

absl::Status CheckReading(const std::string& at, const config::Source& source) {
  using config::Source;
  if (source.has_schema()) {
    return Wrong(absl::StrCat(at, ".schema is \"", source.schema(),
                              "\", which works in configs that are files only"));
  }
  const bool may_be_csv = source.format() != Source::JSONL && source.format() != Source::PARQUET;
  if (source.target_path_size() > 0 && source.format() != Source::BY_ENDING) {
    return Wrong(absl::StrCat(at, ".format is ", Source::Format_Name(source.format()),
                              " beside target_path, whose files are plain lines of text"));
  }
  for (const absl::string_view path : source.target_path()) {
    if (path.empty()) return Wrong(at + ".target_path is empty; name a file or a glob");
  }
  if (source.column_size() > 0 && (!may_be_csv || source.target_path_size() > 0)) {
    return Wrong(at + ".column names the columns of CSV and TSV files, which these are not");
  }
  if (!source.quoting() && (!may_be_csv || source.target_path_size() > 0)) {
    return Wrong(at + ".quoting is for CSV and TSV files, which these are not");
  }
  std::set<absl::string_view> columns;
  for (const std::string& column : source.column()) {
    if (column.empty()) return Wrong(at + ".column is empty; give every column a name");
    if (columns.insert(column).second) continue;
    return Wrong(absl::StrCat(at, ".column names \"", column, "\" twice"));
  }
  return absl::OkStatus();
}

}  // namespace frond
