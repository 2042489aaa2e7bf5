#include "configs/train_defaults.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "configs/mixture_sources.h"
#include "configs/template_fields.h"
#include "core/base/hash.h"
#include "google/protobuf/descriptor.h"

namespace frond {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

void SetToDefault(const FieldDescriptor& field, Message& message) {
  const Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.SetInt32(&message, &field, field.default_value_int32());
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection.SetInt64(&message, &field, field.default_value_int64());
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection.SetUInt32(&message, &field, field.default_value_uint32());
    case FieldDescriptor::CPPTYPE_UINT64:
      return reflection.SetUInt64(&message, &field, field.default_value_uint64());
    case FieldDescriptor::CPPTYPE_FLOAT:
      return reflection.SetFloat(&message, &field, field.default_value_float());
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection.SetDouble(&message, &field, field.default_value_double());
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.SetBool(&message, &field, field.default_value_bool());
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection.SetString(&message, &field, field.default_value_string());
    case FieldDescriptor::CPPTYPE_ENUM:
      return reflection.SetEnum(&message, &field, field.default_value_enum());
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return;
  }
}

// A tree and the rules in it are there where they are written, and only there.
bool IsOfTree(const FieldDescriptor& field) {
  return field.message_type() == config::Mixture::descriptor() ||
         field.message_type() == config::Weighting::descriptor() ||
         field.message_type() == config::Prune::descriptor();
}

void WriteDefaults(Message& message) {
  const Reflection& reflection = *message.GetReflection();
  const google::protobuf::Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const bool is_message = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    // A ledger shows rules as they were written, here and in `frond prune`.
    if (field.message_type() == config::PruneRule::descriptor()) continue;
    if (field.is_repeated()) {
      const int elements = is_message ? reflection.FieldSize(message, &field) : 0;
      for (int k = 0; k < elements; ++k) {
        WriteDefaults(*reflection.MutableRepeatedMessage(&message, &field, k));
      }
    } else if (is_message) {
      const bool chosen = reflection.HasField(message, &field);
      const bool create = field.containing_oneof() == nullptr && !IsOfTree(field);
      if (chosen || create) WriteDefaults(*reflection.MutableMessage(&message, &field));
    } else if (field.has_default_value() && !reflection.HasField(message, &field)) {
      SetToDefault(field, message);
    }
  }
}

// The file name without its folder and from its first dot or wildcard on:
// data/aya-*.jsonl.zst -> aya.
std::string NameFromPath(absl::string_view path) {
  const size_t slash = path.rfind('/');
  absl::string_view name = slash == absl::string_view::npos ? path : path.substr(slash + 1);
  name = name.substr(0, name.find_first_of(".*?[{"));
  while (!name.empty() && (name.back() == '-' || name.back() == '_')) name.remove_suffix(1);
  return std::string(name);
}

// The tree as text, but for where its rows lie.
std::string TextWithoutPaths(const config::Data& data) {
  config::Data copy;
  *copy.mutable_mixture() = data.mixture();
  std::vector<config::Source*> sources = SourcesOf(copy);
  for (config::Source* set : EvaluationSetsOf(copy)) sources.push_back(set);
  for (config::Source* source : sources) {
    source->clear_path();
    source->clear_target_path();
    source->clear_ledger();
    // Texts of before these fields have no defaults of theirs.
    if (source->format() == config::Source::BY_ENDING) source->clear_format();
    if (source->quoting()) source->clear_quoting();
    for (config::TemplateFile& file : *source->mutable_template_file()) file.clear_path();
  }
  return copy.ShortDebugString();
}

}  // namespace

void ResolveDefaults(config::TrainConfig& config) {
  const bool has_shape = config.model().has_shape();
  if (config.optimizer().kind_case() == config::Optimizer::KIND_NOT_SET) {
    config.mutable_optimizer()->mutable_adafactor();
  }
  if (config.data().cache_dir().empty() && !config.work_dir().empty()) {
    config.mutable_data()->set_cache_dir(absl::StrCat(config.work_dir(), "/cache"));
  }
  std::vector<config::Source*> sources = SourcesOf(*config.mutable_data());
  for (config::Source* set : EvaluationSetsOf(*config.mutable_data())) sources.push_back(set);
  for (config::Source& source : *config.mutable_eval()->mutable_source()) {
    sources.push_back(&source);
  }
  for (config::Source* source : sources) {
    if (source->name().empty() && source->path_size() > 0) {
      source->set_name(NameFromPath(source->path(0)));
    }
  }
  WriteDefaults(config);
  // A shape means "build this model", so an empty one must not appear by itself.
  if (!has_shape) config.mutable_model()->clear_shape();
}

uint64_t DataOrderHash(const config::TrainConfig& config) {
  std::string text = absl::StrCat("seed ", config.seed(), "\nrows ", config.batch().rows());
  const config::Data& data = config.data();
  absl::StrAppend(&text, "\nlengths ", data.source_length(), " ", data.target_length(),
                  "\npacking ", data.packing() ? 1 : 0, "\nwindow ", data.window());
  const auto append_text = [&text](const std::string& value) {
    absl::StrAppend(&text, " ", value.size(), ":", value);
  };
  for (const config::Source& source : data.source()) {
    absl::StrAppend(&text, "\nsource ", absl::StrFormat("%a", source.weight()));
    append_text(source.name());
    append_text(source.language());
    const config::Fields& fields = source.fields();
    for (const std::string* field :
         {&fields.inputs(), &fields.targets(), &fields.language(), &fields.script(),
          &fields.dataset_name(), &fields.template_id(), &fields.task_type()}) {
      append_text(*field);
    }
    if (source.format() != config::Source::BY_ENDING || !source.quoting()) {
      absl::StrAppend(&text, " format ", source.format(), " ", source.quoting());
    }
    for (const std::string& column : source.column()) append_text(column);
    absl::StrAppend(&text, TemplatesText(source));
  }
  if (data.has_mixture()) absl::StrAppend(&text, "\nmixture ", TextWithoutPaths(data));
  return Hash64(text);
}

}  // namespace frond
