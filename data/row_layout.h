// How the rows of a data set lie in its files.
#pragma once

#include <string>

namespace frond {

// What the fields of an Example are called in a file; the defaults are the Aya collection's.
struct FieldNames {
  std::string inputs = "inputs";
  std::string targets = "targets";
  std::string language = "language";
  std::string script = "script";
  std::string dataset_name = "dataset_name";
  std::string template_id = "template_id";
  std::string task_type = "task_type";

  bool operator==(const FieldNames&) const = default;
};

struct RowLayout {
  FieldNames fields = {};
  // The language of rows that have none; empty: such a row is an error.
  std::string default_language = {};
  // A target of nothing but white space is an example and not an error.
  bool allow_empty_targets = false;
};

}  // namespace frond
