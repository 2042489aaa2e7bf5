// An instruction template: turns a raw row into the two texts of an example. It is written in
// PromptSource's Jinja ("input ||| target"; Bach et al., "PromptSource: An Integrated Development
// Environment and Repository for Natural Language Prompts", ACL 2022) or as plain patterns with
// `{field}`. docs/templates.md has the subset of Jinja.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace frond {

// What a template says of itself.
struct PromptInfo {
  std::string id;
  std::string name;
  // Languages of the template's own words, as it names them; empty: not said.
  std::vector<std::string> languages;
  // The language of the examples it makes; empty: that of the row.
  std::string example_language;
};

// Texts of an example, without white space around them.
struct RenderedPrompt {
  std::string inputs;
  std::string targets;
};

// Immutable; renders from any thread.
class Prompt {
 public:
  // Patterns with `{field}` and `{field.key.0}`; `{{` and `}}` are braces.
  static absl::StatusOr<Prompt> FromPatterns(PromptInfo info, const std::string& inputs,
                                             const std::string& targets);
  // Jinja with the target behind `|||`. `answer_choices` is a Jinja template too: what it renders
  // to is split at `|||` into the list that the template knows under that name; empty: none.
  // Errors name the construct outside the subset, and its line.
  static absl::StatusOr<Prompt> FromJinja(PromptInfo info, const std::string& jinja,
                                          const std::string& answer_choices);

  const PromptInfo& info() const { return info_; }

  // False, with no texts, where either side comes out empty: the template has nothing to say about
  // this row. `row` is an object. Random choices are a function of the row's content and the
  // template's id. Errors are one line that names the template: a field or key that the row lacks,
  // a value that cannot be computed with.
  absl::StatusOr<bool> Render(const nlohmann::json& row, RenderedPrompt* rendered) const;

  // Equal for templates that render every row alike and have the same id and languages.
  uint64_t hash() const { return hash_; }

 private:
  struct Patterns;
  struct Jinja;

  Prompt(PromptInfo info, const std::string& text, const std::string& more);
  absl::Status Named(const absl::Status& status) const;

  PromptInfo info_;
  uint64_t hash_ = 0;
  std::shared_ptr<const Patterns> patterns_;  // one of the two
  std::shared_ptr<const Jinja> jinja_;
};

}  // namespace frond
