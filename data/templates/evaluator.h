// Renders a parsed Jinja template for one row.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/templates/syntax.h"
#include "data/templates/value.h"

namespace frond::templates {

// What a template may name.
struct Scope {
  const Json* row = nullptr;      // an object
  const Json* choices = nullptr;  // `answer_choices`; null: the template has none
  uint64_t random_key = 0;        // of its random choices
};

// The parts between separators, at least one. A name that is neither a field of the row nor set, a
// key that a map lacks, and a print of none are errors that name it; so is everything that Python
// would refuse to compute.
absl::StatusOr<std::vector<std::string>> RenderJinja(const Syntax& syntax, const Scope& scope);

}  // namespace frond::templates
