// How errors speak of a config's fields: what a field takes and which name was probably meant.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"

namespace frond {

// What a value of `field` looks like: "a whole number", "true or false", "one of F32, BF16".
std::string WhatFieldTakes(const google::protobuf::FieldDescriptor& field);

// `unknown field "stpes" in message TrainConfig; did you mean "steps"?`, or the whole path from
// `root` where another message has a field of just this name: `did you mean "schedule.kind"?`.
std::string UnknownField(const google::protobuf::Descriptor& message, absl::string_view name,
                         const google::protobuf::Descriptor& root);

// `unknown value "BF61"; did you mean "BF16"? (one of F32, BF16)`. `field` is an enum.
std::string UnknownEnumValue(const google::protobuf::FieldDescriptor& field,
                             absl::string_view name);

// Foreign text for an error: control characters become spaces, and only the beginning of a very
// long text is left.
std::string OneLine(absl::string_view text);

}  // namespace frond
