// The templates of one dataset: from a raw row to the examples it is seen as.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/example.h"
#include "data/templates/prompt.h"

namespace frond {

struct RowTemplate {
  Prompt prompt;
  // Of the rows it is for, any code of each; empty: all rows.
  std::vector<std::string> row_languages = {};
};

// One name for all codes of a language.
using CanonicalCode = std::string (*)(absl::string_view code);

// Immutable; renders from any thread.
class RowTemplates {
 public:
  // Errors: no template, two of one id.
  static absl::StatusOr<std::shared_ptr<const RowTemplates>> Create(
      std::vector<RowTemplate> templates, CanonicalCode canonical);

  // What examples have as their template_id: a template's name, with its id behind it where others
  // have the name too; the id where it has none. In the order of the templates.
  const std::vector<std::string>& labels() const { return labels_; }

  // One example for each template that is for the row's language and has something to say, sorted
  // by language; templates of one language keep their order. `names` is the row without its texts.
  // Errors are those of Prompt::Render.
  absl::StatusOr<std::vector<Example>> Render(const nlohmann::json& row,
                                              const Example& names) const;

  // Equal for templates that make the same examples of every row.
  uint64_t hash() const { return hash_; }

 private:
  RowTemplates() = default;

  std::vector<RowTemplate> templates_;  // languages by their canonical codes
  CanonicalCode canonical_ = nullptr;
  std::vector<std::string> labels_;
  uint64_t hash_ = 0;
};

}  // namespace frond
