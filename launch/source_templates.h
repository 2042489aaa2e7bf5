// From the templates of a config to those that render rows.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "configs/train.pb.h"
#include "data/templates/row_templates.h"

namespace frond {

// The templates of a source: those of its files, then its own; null where it has none. Reads the
// files. Errors are those of ReadPromptFile, Prompt and RowTemplates::Create, with the source's
// name.
absl::StatusOr<std::shared_ptr<const RowTemplates>> TemplatesOf(const config::Source& source);

}  // namespace frond
