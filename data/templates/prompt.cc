#include "data/templates/prompt.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/hash.h"
#include "core/base/philox.h"
#include "core/base/status_macros.h"
#include "data/templates/evaluator.h"
#include "data/templates/pattern.h"
#include "data/templates/python_text.h"
#include "data/templates/syntax.h"

namespace frond {
namespace {

using templates::Json;
using templates::Scope;
using templates::Syntax;

constexpr absl::string_view kAnswerChoices = "answer_choices";

// The key of a row's random choices: its content, so that they stay when rows move.
uint64_t RandomKey(const Json& row, const std::string& id) {
  const std::string text = row.dump(-1, ' ', false, Json::error_handler_t::replace);
  return MixBits(Hash64(text) ^ KeyFromText(id));
}

}  // namespace

struct Prompt::Patterns {
  templates::Pattern inputs, targets;
};

struct Prompt::Jinja {
  Syntax body;
  Syntax choices;
  bool has_choices = false;
};

Prompt::Prompt(PromptInfo info, const std::string& text, const std::string& more)
    : info_(std::move(info)) {
  std::string all;
  for (const absl::string_view part : {absl::string_view(info_.id), absl::string_view(info_.name),
                                       absl::string_view(info_.example_language),
                                       absl::string_view(text), absl::string_view(more)}) {
    absl::StrAppend(&all, part.size(), ":", part);
  }
  for (const std::string& language : info_.languages) absl::StrAppend(&all, ",", language);
  hash_ = Hash64(all);
}

absl::Status Prompt::Named(const absl::Status& status) const {
  const std::string& shown = info_.name.empty() ? info_.id : info_.name;
  return absl::Status(status.code(), templates::OneLine(absl::StrCat(
                                         "template '", shown, "'",
                                         shown == info_.id ? "" : absl::StrCat(" (", info_.id, ")"),
                                         ": ", status.message())));
}

absl::StatusOr<Prompt> Prompt::FromPatterns(PromptInfo info, const std::string& inputs,
                                            const std::string& targets) {
  Prompt prompt(std::move(info), inputs, targets);
  auto patterns = std::make_shared<Patterns>();
  for (auto [text, pattern] :
       {std::pair{&inputs, &patterns->inputs}, std::pair{&targets, &patterns->targets}}) {
    absl::StatusOr<templates::Pattern> parsed = templates::Pattern::Parse(*text);
    if (!parsed.ok()) return prompt.Named(parsed.status());
    *pattern = *std::move(parsed);
  }
  prompt.patterns_ = std::move(patterns);
  return prompt;
}

absl::StatusOr<Prompt> Prompt::FromJinja(PromptInfo info, const std::string& jinja,
                                         const std::string& answer_choices) {
  Prompt prompt(std::move(info), jinja, answer_choices);
  if (jinja.find("|||") == std::string::npos) {
    return prompt.Named(
        absl::InvalidArgumentError("it has no '|||' between its input and its target"));
  }
  auto parsed = std::make_shared<Jinja>();
  absl::StatusOr<Syntax> body = templates::ParseJinja(jinja, /*separate=*/true);
  if (!body.ok()) return prompt.Named(body.status());
  parsed->body = *std::move(body);
  parsed->has_choices = !answer_choices.empty();
  absl::StatusOr<Syntax> choices = templates::ParseJinja(answer_choices, /*separate=*/true);
  if (!choices.ok()) {
    return prompt.Named(
        absl::InvalidArgumentError(absl::StrCat(kAnswerChoices, ", ", choices.status().message())));
  }
  parsed->choices = *std::move(choices);
  prompt.jinja_ = std::move(parsed);
  return prompt;
}

absl::StatusOr<bool> Prompt::Render(const Json& row, RenderedPrompt* rendered) const {
  *rendered = {};
  if (patterns_ != nullptr) {
    absl::StatusOr<std::string> inputs = patterns_->inputs.Render(row);
    if (!inputs.ok()) return Named(inputs.status());
    absl::StatusOr<std::string> targets = patterns_->targets.Render(row);
    if (!targets.ok()) return Named(targets.status());
    rendered->inputs = std::string(templates::StripSpace(*inputs));
    rendered->targets = std::string(templates::StripSpace(*targets));
  } else {
    Scope scope = {.row = &row};
    if (jinja_->body.draws || jinja_->choices.draws) scope.random_key = RandomKey(row, info_.id);
    Json choices = Json::array();
    if (jinja_->has_choices) {
      if (row.contains(std::string(kAnswerChoices))) {
        return Named(absl::InvalidArgumentError(
            absl::StrCat("both it and the row have '", kAnswerChoices, "'")));
      }
      absl::StatusOr<std::vector<std::string>> parts =
          templates::RenderJinja(jinja_->choices, scope);
      if (!parts.ok()) return Named(parts.status());
      for (const std::string& part : *parts) {
        choices.push_back(std::string(templates::StripSpace(part)));
      }
      scope.choices = &choices;
    }
    absl::StatusOr<std::vector<std::string>> parts = templates::RenderJinja(jinja_->body, scope);
    if (!parts.ok()) return Named(parts.status());
    if (parts->size() > 2) {
      return Named(absl::InvalidArgumentError("it renders more than one '|||'"));
    }
    rendered->inputs = std::string(templates::StripSpace(parts->front()));
    if (parts->size() == 2) {
      rendered->targets = std::string(templates::StripSpace(parts->back()));
    }
  }
  if (!rendered->inputs.empty() && !rendered->targets.empty()) return true;
  *rendered = {};
  return false;
}

}  // namespace frond
