#include "launch/source_templates.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "configs/template_fields.h"
#include "core/base/status_macros.h"
#include "data/templates/prompt.h"
#include "data/templates/prompt_file.h"
#include "mixtures/languages.h"

namespace frond {
namespace {

absl::StatusOr<std::vector<Prompt>> PromptsOfFile(const config::TemplateFile& file) {
  PromptSelection selection = {.include = {file.include().begin(), file.include().end()},
                               .exclude = {file.exclude().begin(), file.exclude().end()},
                               .example_language = file.example_language()};
  std::vector<std::string> wanted;
  for (const std::string& code : file.language()) wanted.push_back(CanonicalLanguage(code));
  if (!wanted.empty()) {
    selection.accepts = [&wanted](const PromptInfo& info) {
      return std::any_of(
          info.languages.begin(), info.languages.end(), [&](const std::string& code) {
            return std::find(wanted.begin(), wanted.end(), CanonicalLanguage(code)) != wanted.end();
          });
    };
  }
  return ReadPromptFile(file.path(), selection);
}

absl::StatusOr<Prompt> PromptOf(const config::Template& text) {
  PromptInfo info = {.id = text.id(), .example_language = text.example_language()};
  if (!text.language().empty()) info.languages = {text.language()};
  return text.has_jinja() ? Prompt::FromJinja(std::move(info), text.jinja(), text.answer_choices())
                          : Prompt::FromPatterns(std::move(info), text.inputs(), text.targets());
}

absl::StatusOr<std::vector<Prompt>> PromptsOf(const config::Source& source) {
  std::vector<Prompt> prompts;
  for (const config::TemplateFile& file : source.template_file()) {
    ASSIGN_OR_RETURN(std::vector<Prompt> read, PromptsOfFile(file));
    for (Prompt& prompt : read) prompts.push_back(std::move(prompt));
  }
  for (const config::Template& text : source.template_()) {
    ASSIGN_OR_RETURN(Prompt prompt, PromptOf(text));
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

absl::Status OfSource(const config::Source& source, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat("source '", source.name(), "': ", status.message()));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const RowTemplates>> TemplatesOf(const config::Source& source) {
  if (!HasTemplates(source)) return std::shared_ptr<const RowTemplates>();
  absl::StatusOr<std::vector<Prompt>> prompts = PromptsOf(source);
  if (!prompts.ok()) return OfSource(source, prompts.status());
  std::vector<RowTemplate> templates;
  for (Prompt& prompt : *prompts) {
    RowTemplate row_template = {.prompt = std::move(prompt)};
    if (source.match_template_language()) {
      row_template.row_languages = row_template.prompt.info().languages;
    }
    templates.push_back(std::move(row_template));
  }
  auto created = RowTemplates::Create(std::move(templates), CanonicalLanguage);
  if (!created.ok()) return OfSource(source, created.status());
  return *std::move(created);
}

}  // namespace frond
