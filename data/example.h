// One instruction: a row of a data set as it was read.
#pragma once

#include <string>

namespace frond {

// All text is valid UTF-8. Only `inputs`, `targets` and `language` are always there; a field that
// the row lacks is empty.
struct Example {
  std::string inputs;
  std::string targets;
  std::string language;
  std::string script;
  std::string dataset_name;
  std::string template_id;
  std::string task_type;
};

}  // namespace frond
