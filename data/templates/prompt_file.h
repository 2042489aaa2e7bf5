// PromptSource's files: `templates.yaml` with the templates of one data set.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/templates/prompt.h"

namespace frond {

// Which templates of a file are used.
struct PromptSelection {
  std::vector<std::string> include = {};  // names or ids; empty: all
  std::vector<std::string> exclude = {};
  std::function<bool(const PromptInfo&)> accepts = {};  // empty: all
  std::string example_language = {};                    // of those that are read
};

// The selected templates in the order of the file; those that are not selected are not looked at.
// Errors name the file, and the template and the construct that is not understood; a name that no
// template has, and a selection of none, are errors too.
absl::StatusOr<std::vector<Prompt>> ReadPromptFile(const std::string& path,
                                                   const PromptSelection& selection = {});

}  // namespace frond
