// From one row to the examples it stands for.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "data/example.h"
#include "data/row_reader.h"
#include "data/templates/row_templates.h"

namespace frond {

// Sets `examples` to what the row holds: one example, or without texts of its own what `templates`
// (may be null) make of its fields, which may be nothing. Errors begin with the row's place.
absl::Status ReadExamples(const RowBlock& block, size_t row, const RowTemplates* templates,
                          std::vector<Example>* examples);

}  // namespace frond
