#include "data/templates/row_templates.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/hash.h"
#include "core/base/philox.h"
#include "core/base/status_macros.h"
#include "nlohmann/json.hpp"

namespace frond {

absl::StatusOr<std::shared_ptr<const RowTemplates>> RowTemplates::Create(
    std::vector<RowTemplate> templates, CanonicalCode canonical) {
  if (templates.empty()) return absl::InvalidArgumentError("there is no template");
  std::shared_ptr<RowTemplates> result(new RowTemplates());
  std::map<std::string, int> uses;  // of names and ids
  std::set<std::string> ids;
  for (const RowTemplate& row_template : templates) {
    const PromptInfo& info = row_template.prompt.info();
    if (!ids.insert(info.id).second) {
      return absl::InvalidArgumentError(absl::StrCat("two templates have the id '", info.id, "'"));
    }
    ++uses[info.id];
    if (info.name != info.id) ++uses[info.name];
  }
  result->canonical_ = canonical;
  for (RowTemplate& row_template : templates) {
    const PromptInfo& info = row_template.prompt.info();
    const bool by_name = !info.name.empty() && uses[info.name] == 1;
    result->labels_.push_back(by_name             ? info.name
                              : info.name.empty() ? info.id
                                                  : absl::StrCat(info.name, " (", info.id, ")"));
    std::string text = absl::StrCat(result->labels_.back().size(), ":", result->labels_.back());
    for (std::string& language : row_template.row_languages) {
      language = canonical(language);
      absl::StrAppend(&text, ",", language);
    }
    result->hash_ = MixBits(result->hash_ ^ row_template.prompt.hash());
    result->hash_ = MixBits(result->hash_ ^ Hash64(text));
  }
  result->templates_ = std::move(templates);
  return std::shared_ptr<const RowTemplates>(std::move(result));
}

absl::StatusOr<std::vector<Example>> RowTemplates::Render(const nlohmann::json& row,
                                                          const Example& names) const {
  std::vector<Example> examples;
  const std::string row_language = canonical_(names.language);
  for (size_t i = 0; i < templates_.size(); ++i) {
    const auto& [prompt, languages] = templates_[i];
    const bool is_for_row = languages.empty() || std::find(languages.begin(), languages.end(),
                                                           row_language) != languages.end();
    if (!is_for_row) continue;
    RenderedPrompt rendered;
    ASSIGN_OR_RETURN(const bool speaks, prompt.Render(row, &rendered));
    if (!speaks) continue;
    Example example = names;
    example.inputs = std::move(rendered.inputs);
    example.targets = std::move(rendered.targets);
    example.template_id = labels_[i];
    if (!prompt.info().example_language.empty()) {
      example.language = prompt.info().example_language;
    }
    examples.push_back(std::move(example));
  }
  std::stable_sort(examples.begin(), examples.end(),
                   [](const Example& a, const Example& b) { return a.language < b.language; });
  return examples;
}

}  // namespace frond
