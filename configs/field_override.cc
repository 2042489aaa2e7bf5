#include "configs/field_override.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "configs/field_words.h"
#include "core/base/status_macros.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"

namespace frond {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

class LastMessage : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int, google::protobuf::io::ColumnNumber, const std::string& message) override {
    message_ = message;
  }
  const std::string& message() const { return message_; }

 private:
  std::string message_;
};

// One `name` or `name[index]` of a path.
struct Segment {
  std::string name;
  std::optional<int> index;
};

// What one call carries through: the override as it was given and its value.
struct Assignment {
  absl::string_view text;
  absl::string_view value;
};

absl::Status Wrong(const Assignment& assignment, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("--set ", OneLine(assignment.text), ": ", OneLine(what)));
}

absl::Status WrongType(const Assignment& assignment, const FieldDescriptor& field) {
  std::string takes = WhatFieldTakes(field);
  return Wrong(assignment,
               absl::StrCat(field.name(), " takes ", takes, ", not \"", assignment.value, "\""));
}

absl::StatusOr<Segment> ParseSegment(const Assignment& assignment, absl::string_view text) {
  const size_t bracket = text.find('[');
  if (bracket == absl::string_view::npos) return Segment{std::string(text), std::nullopt};
  int index = -1;
  const bool closed = text.back() == ']';
  if (!closed || !absl::SimpleAtoi(text.substr(bracket + 1, text.size() - bracket - 2), &index) ||
      index < 0) {
    return Wrong(assignment, absl::StrCat("\"", text, "\" should be a name or name[0]"));
  }
  return Segment{std::string(text.substr(0, bracket)), index};
}

// Parses the value as `T` with `parse` and hands it to `set`.
template <class T, class Parse, class Set>
absl::Status SetParsed(const Assignment& assignment, const FieldDescriptor& field, Parse parse,
                       Set set) {
  T value{};
  if (!parse(assignment.value, &value)) return WrongType(assignment, field);
  set(value);
  return absl::OkStatus();
}

bool ParseBool(absl::string_view text, bool* value) {
  *value = text == "true";
  return text == "true" || text == "false";
}

absl::Status SetMessage(const Assignment& assignment, Message& message) {
  const absl::string_view value = assignment.value;
  if (value.size() < 2 || value.front() != '{' || value.back() != '}') {
    return Wrong(assignment, absl::StrCat("message ", message.GetDescriptor()->name(),
                                          " takes fields in braces { ... }, or name one of its "
                                          "fields after a dot"));
  }
  const std::string inner(value.substr(1, value.size() - 2));
  google::protobuf::TextFormat::Parser parser;
  LastMessage errors;
  parser.RecordErrorsTo(&errors);
  if (!parser.ParseFromString(inner, &message)) {
    return Wrong(assignment, absl::StrCat("the braces hold no ", message.GetDescriptor()->name(),
                                          ": ", errors.message()));
  }
  return absl::OkStatus();
}

// Assigns to a field that holds one value.
absl::Status SetSingle(const Assignment& a, const FieldDescriptor& field, Message& message) {
  const Reflection& reflection = *message.GetReflection();
  Message* m = &message;
  const FieldDescriptor* f = &field;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return SetParsed<int32_t>(a, field, absl::SimpleAtoi<int32_t>,
                                [&](int32_t v) { reflection.SetInt32(m, f, v); });
    case FieldDescriptor::CPPTYPE_INT64:
      return SetParsed<int64_t>(a, field, absl::SimpleAtoi<int64_t>,
                                [&](int64_t v) { reflection.SetInt64(m, f, v); });
    case FieldDescriptor::CPPTYPE_UINT32:
      return SetParsed<uint32_t>(a, field, absl::SimpleAtoi<uint32_t>,
                                 [&](uint32_t v) { reflection.SetUInt32(m, f, v); });
    case FieldDescriptor::CPPTYPE_UINT64:
      return SetParsed<uint64_t>(a, field, absl::SimpleAtoi<uint64_t>,
                                 [&](uint64_t v) { reflection.SetUInt64(m, f, v); });
    case FieldDescriptor::CPPTYPE_FLOAT:
      return SetParsed<float>(a, field, absl::SimpleAtof,
                              [&](float v) { reflection.SetFloat(m, f, v); });
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return SetParsed<double>(a, field, absl::SimpleAtod,
                               [&](double v) { reflection.SetDouble(m, f, v); });
    case FieldDescriptor::CPPTYPE_BOOL:
      return SetParsed<bool>(a, field, ParseBool, [&](bool v) { reflection.SetBool(m, f, v); });
    case FieldDescriptor::CPPTYPE_STRING:
      reflection.SetString(m, f, std::string(a.value));
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_ENUM: {
      const auto* value = field.enum_type()->FindValueByName(std::string(a.value));
      if (value == nullptr) return Wrong(a, UnknownEnumValue(field, a.value));
      reflection.SetEnum(m, f, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      reflection.ClearField(m, f);
      return SetMessage(a, *reflection.MutableMessage(m, f));
  }
  return WrongType(a, field);
}

absl::Status CheckIndex(const Assignment& assignment, const Segment& segment, int size) {
  if (*segment.index <= size) return absl::OkStatus();
  return Wrong(assignment,
               absl::StrCat(segment.name, " has ", size, " elements; the largest index is ", size,
                            ", which appends one"));
}

// The message of the path's next segment, created where it is missing.
absl::StatusOr<Message*> Descend(const Assignment& assignment, const Segment& segment,
                                 const FieldDescriptor& field, Message& message) {
  const Reflection& reflection = *message.GetReflection();
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    return Wrong(assignment, absl::StrCat(segment.name, " takes ", WhatFieldTakes(field),
                                          "; it has no fields of its own"));
  }
  if (!field.is_repeated()) return reflection.MutableMessage(&message, &field);
  if (!segment.index) {
    return Wrong(assignment, absl::StrCat(segment.name, " is a list: say which element, such as ",
                                          segment.name, "[0]"));
  }
  const int size = reflection.FieldSize(message, &field);
  RETURN_IF_ERROR(CheckIndex(assignment, segment, size));
  if (*segment.index == size) return reflection.AddMessage(&message, &field);
  return reflection.MutableRepeatedMessage(&message, &field, *segment.index);
}

// Assigns to a list: one element by its index, or the whole list.
absl::Status SetInList(const Assignment& assignment, const Segment& segment,
                       const FieldDescriptor& field, Message& message) {
  const Reflection& reflection = *message.GetReflection();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    ASSIGN_OR_RETURN(Message* const element, Descend(assignment, segment, field, message));
    element->Clear();
    return SetMessage(assignment, *element);
  }
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
    return Wrong(assignment, absl::StrCat("lists of ", field.cpp_type_name(),
                                          " are set in the config file only"));
  }
  const std::string value(assignment.value);
  if (!segment.index) {
    reflection.ClearField(&message, &field);
    reflection.AddString(&message, &field, value);
    return absl::OkStatus();
  }
  const int size = reflection.FieldSize(message, &field);
  RETURN_IF_ERROR(CheckIndex(assignment, segment, size));
  if (*segment.index == size) {
    reflection.AddString(&message, &field, value);
  } else {
    reflection.SetRepeatedString(&message, &field, *segment.index, value);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ApplyOverride(absl::string_view text, Message& message) {
  const size_t equals = text.find('=');
  if (equals == absl::string_view::npos) {
    return Wrong({text, ""}, "should be path=value, such as batch.rows=64");
  }
  const Assignment assignment = {text, text.substr(equals + 1)};
  const std::vector<absl::string_view> parts = absl::StrSplit(text.substr(0, equals), '.');
  Message* at = &message;
  for (size_t i = 0; i < parts.size(); ++i) {
    ASSIGN_OR_RETURN(const Segment segment, ParseSegment(assignment, parts[i]));
    const FieldDescriptor* field = at->GetDescriptor()->FindFieldByName(segment.name);
    if (field == nullptr) {
      return Wrong(assignment,
                   UnknownField(*at->GetDescriptor(), segment.name, *message.GetDescriptor()));
    }
    if (segment.index && !field->is_repeated()) {
      return Wrong(assignment, absl::StrCat(segment.name, " is no list; leave out the index"));
    }
    if (i + 1 == parts.size()) {
      return field->is_repeated() ? SetInList(assignment, segment, *field, *at)
                                  : SetSingle(assignment, *field, *at);
    }
    ASSIGN_OR_RETURN(at, Descend(assignment, segment, *field, *at));
  }
  return Wrong(assignment, "should name a field before the equals sign");
}

}  // namespace frond
