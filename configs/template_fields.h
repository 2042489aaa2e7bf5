// The templates of a source in a config.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "configs/mixture.pb.h"

namespace frond {

inline bool HasTemplates(const config::Source& source) {
  return source.template__size() + source.template_file_size() > 0;
}

// Whether every template has an id and one of the two forms, and every file a path. Errors name the
// path of the field; `at` is the source's.
absl::Status ValidateTemplates(const std::string& at, const config::Source& source);

// An error where rules that prune stand above a dataset with templates, in all of `mixture`, or
// compare with a set that has some: rules read the texts that rows hold. `at` is the mixture's
// path.
absl::Status RefuseTemplatesBelowRules(const std::string& at, const config::Mixture& mixture);

// Which templates a source takes, as text, without the paths of their files.
std::string TemplatesText(const config::Source& source);

}  // namespace frond
