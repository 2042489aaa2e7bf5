#include "configs/field_words.h"

#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/nearest_name.h"

namespace frond {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

// A name long enough to be nobody's typing error is not worth a quadratic comparison.
constexpr size_t kLongestName = 64;

std::vector<std::string> EnumNames(const FieldDescriptor& field) {
  std::vector<std::string> names;
  for (int i = 0; i < field.enum_type()->value_count(); ++i) {
    names.push_back(field.enum_type()->value(i)->name());
  }
  return names;
}

// Dotted path of the first field of this name below `message`; empty where there is none. Messages
// in `seen` were searched before: a tree of groups holds groups.
std::string PathToField(const Descriptor& message, const std::string& name,
                        std::set<const Descriptor*>& seen) {
  if (message.FindFieldByName(name) != nullptr) return name;
  if (!seen.insert(&message).second) return "";
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& field = *message.field(i);
    if (field.message_type() == nullptr) continue;
    const std::string below = PathToField(*field.message_type(), name, seen);
    if (!below.empty()) return absl::StrCat(field.name(), ".", below);
  }
  return "";
}

}  // namespace

std::string OneLine(absl::string_view text) {
  constexpr size_t kLongestText = 500;
  std::string line(text.substr(0, kLongestText));
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  return text.size() > kLongestText ? line + "..." : line;
}

std::string WhatFieldTakes(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return "a whole number of 32 bits";
    case FieldDescriptor::CPPTYPE_INT64:
      return "a whole number";
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return "a whole number, not negative";
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return "a number";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_STRING:
      return "text in quotes";
    case FieldDescriptor::CPPTYPE_ENUM:
      return absl::StrCat("one of ", absl::StrJoin(EnumNames(field), ", "));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return "fields in braces { ... }";
  }
  return "another type";
}

std::string UnknownField(const Descriptor& message, absl::string_view name,
                         const Descriptor& root) {
  const std::string unknown =
      absl::StrCat("unknown field \"", OneLine(name), "\" in message ", message.name(), "; ");
  std::set<const Descriptor*> seen;
  std::string meant = PathToField(root, std::string(name), seen);
  if (meant == name) return absl::StrCat(unknown, "it belongs at the top level of the config");
  if (meant.empty()) {
    std::vector<std::string> names;
    for (int i = 0; i < message.field_count(); ++i) names.push_back(message.field(i)->name());
    meant = NearestName(name.substr(0, kLongestName), names);
  }
  return absl::StrCat(unknown, "did you mean \"", meant, "\"?");
}

std::string UnknownEnumValue(const FieldDescriptor& field, absl::string_view name) {
  const std::vector<std::string> names = EnumNames(field);
  return absl::StrCat("unknown value \"", OneLine(name), "\"; did you mean \"",
                      NearestName(name.substr(0, kLongestName), names), "\"? (",
                      WhatFieldTakes(field), ")");
}

}  // namespace frond
