// The rows of one template, which rules about templates judge together.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "mixtures/pruning/rule.h"

namespace frond {

// The dataset of a row: its `dataset_name`, or its source where it has none.
inline std::string DatasetOf(const RowPlace& place) {
  const std::string& name = place.example->dataset_name;
  return name.empty() ? std::string(place.source_name) : name;
}

// Equal for rows of one dataset and template and, with `per` kTemplateAndLanguage, one language.
inline std::string TemplateGroupOf(const RowPlace& place, PerTemplate per) {
  const Example& example = *place.example;
  std::string key = absl::StrCat(DatasetOf(place), "\n", example.template_id);
  if (per == PerTemplate::kTemplateAndLanguage) absl::StrAppend(&key, "\n", example.language);
  return key;
}

}  // namespace frond
