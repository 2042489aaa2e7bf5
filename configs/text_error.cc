#include "configs/text_error.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "configs/field_words.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace frond {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::io::Tokenizer;

class IgnoreErrors : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int, google::protobuf::io::ColumnNumber, const std::string&) override {}
};

// What stands before an error: the open messages and the last tokens.
struct Place {
  std::vector<std::string> path;  // names of the fields whose braces are open
  std::string name;               // the last identifier that is not a value
  int name_line = 0;
  int name_column = 0;
  bool in_value = false;  // a colon follows the name and no value is complete
};

void Advance(const Tokenizer::Token& token, Place& place) {
  if (token.type == Tokenizer::TYPE_IDENTIFIER && !place.in_value) {
    place.name = token.text;
    place.name_line = token.line;
    place.name_column = token.column;
  } else if (token.text == "{" || token.text == "<") {
    place.path.push_back(place.name);
    place.in_value = false;
  } else if (token.text == "}" || token.text == ">") {
    if (!place.path.empty()) place.path.pop_back();
    place.in_value = false;
  } else if (token.text == ":") {
    place.in_value = true;
  } else if (token.text != "-" && token.text != "[") {
    place.in_value = false;
  }
}

Place FindPlace(absl::string_view text, const TextError& error) {
  google::protobuf::io::ArrayInputStream input(text.data(), static_cast<int>(text.size()));
  IgnoreErrors ignore;
  Tokenizer tokenizer(&input, &ignore);
  tokenizer.set_comment_style(Tokenizer::SH_COMMENT_STYLE);
  Place place;
  while (tokenizer.Next()) {
    const Tokenizer::Token& token = tokenizer.current();
    const bool before =
        token.line < error.line || (token.line == error.line && token.column < error.column);
    if (!before) break;
    Advance(token, place);
  }
  return place;
}

// The field that `place` names; nullptr where the schema has none.
const FieldDescriptor* FieldAt(const Descriptor& root, const Place& place) {
  const Descriptor* message = &root;
  for (const std::string& name : place.path) {
    const FieldDescriptor* field = message->FindFieldByName(name);
    if (field == nullptr || field->message_type() == nullptr) return nullptr;
    message = field->message_type();
  }
  return message->FindFieldByName(place.name);
}

// The text between the first two quotes after `marker`; empty where there is none.
std::string QuotedAfter(absl::string_view message, absl::string_view marker) {
  const size_t at = message.find(marker);
  if (at == absl::string_view::npos) return "";
  const size_t begin = message.find('"', at + marker.size());
  if (begin == absl::string_view::npos) return "";
  const size_t end = message.find('"', begin + 1);
  if (end == absl::string_view::npos) return "";
  return std::string(message.substr(begin + 1, end - begin - 1));
}

absl::Status At(absl::string_view file, int line, int column, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat(file, ":", line + 1, ":", column + 1, ": ", OneLine(what)));
}

}  // namespace

absl::Status ExplainTextError(absl::string_view file, absl::string_view text,
                              const Descriptor& root, const TextError& error) {
  const std::string& message = error.message;
  if (error.line < 0) return absl::InvalidArgumentError(absl::StrCat(file, ": ", OneLine(message)));
  // The parser stands behind the word it dislikes where the word itself is well formed.
  const Place place = FindPlace(text, error);
  if (absl::StrContains(message, "has no field named")) {
    const auto* pool = root.file()->pool();
    const Descriptor* in = pool->FindMessageTypeByName(QuotedAfter(message, "Message type"));
    const std::string name = QuotedAfter(message, "has no field named");
    return At(file, place.name_line, place.name_column,
              in == nullptr ? message : UnknownField(*in, name, root));
  }
  const FieldDescriptor* field = FieldAt(root, place);
  if (field == nullptr) return At(file, error.line, error.column, message);

  std::vector<std::string> names = place.path;
  names.push_back(place.name);
  const std::string path = absl::StrJoin(names, ".");
  if (absl::StrContains(message, "Unknown enumeration value") && field->enum_type() != nullptr) {
    const std::string value = QuotedAfter(message, "enumeration value of");
    return At(file, place.name_line, place.name_column,
              absl::StrCat(path, ": ", UnknownEnumValue(*field, value)));
  }
  const bool boolean = absl::StrContains(message, "Invalid value for boolean");
  const bool wrong_type = place.in_value && (absl::StartsWith(message, "Expected") ||
                                             absl::StartsWith(message, "Integer out of range"));
  if (boolean || wrong_type) {
    const int line = boolean ? place.name_line : error.line;
    const int column = boolean ? place.name_column : error.column;
    return At(file, line, column,
              absl::StrCat(path, " takes ", WhatFieldTakes(*field), " (", message, ")"));
  }
  if (absl::StrContains(message, "specified multiple times")) {
    return At(file, place.name_line, place.name_column,
              absl::StrCat(path, " is set twice; keep one of the two"));
  }
  return At(file, error.line, error.column, absl::StrCat(path, ": ", message));
}

}  // namespace frond
