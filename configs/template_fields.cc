#include "configs/template_fields.h"

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace frond {
namespace {

absl::Status Missing(absl::string_view path, absl::string_view right) {
  return absl::InvalidArgumentError(absl::StrCat(path, " is missing; ", right));
}

absl::Status Check(const std::string& at, const config::Template& text) {
  if (text.id().empty()) return Missing(at + ".id", "every template needs one");
  if (text.has_jinja()) {
    if (!text.has_inputs() && !text.has_targets()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(at, " has jinja and inputs or targets; give one of the two forms"));
  }
  if (text.inputs().empty()) return Missing(at + ".inputs", "give it inputs and targets, or jinja");
  if (text.targets().empty()) return Missing(at + ".targets", "give it inputs and targets");
  if (!text.has_answer_choices()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(at, ".answer_choices works beside jinja only; patterns have no choices"));
}

absl::Status Refuse(const std::string& at) {
  return absl::InvalidArgumentError(absl::StrCat(
      at, " has templates, and rules that prune read the texts that rows hold; drop one of them"));
}

absl::Status CheckEvaluation(const std::string& at, const config::Prune& prune) {
  for (int i = 0; i < prune.evaluation_size(); ++i) {
    if (HasTemplates(prune.evaluation(i))) return Refuse(absl::StrCat(at, ".evaluation[", i, "]"));
  }
  return absl::OkStatus();
}

absl::Status CheckGroup(const std::string& at, const config::Mixture& group, bool is_pruned) {
  is_pruned = is_pruned || group.has_prune();
  RETURN_IF_ERROR(CheckEvaluation(at + ".prune", group.prune()));
  for (int i = 0; i < group.group_size(); ++i) {
    RETURN_IF_ERROR(CheckGroup(absl::StrCat(at, ".group[", i, "]"), group.group(i), is_pruned));
  }
  for (int i = 0; i < group.dataset_size(); ++i) {
    const config::Dataset& dataset = group.dataset(i);
    const std::string name = absl::StrCat(at, ".dataset[", i, "]");
    RETURN_IF_ERROR(CheckEvaluation(name + ".prune", dataset.prune()));
    if ((is_pruned || dataset.has_prune()) && HasTemplates(dataset.source())) {
      return Refuse(name + ".source");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RefuseTemplatesBelowRules(const std::string& at, const config::Mixture& mixture) {
  return CheckGroup(at, mixture, /*is_pruned=*/false);
}

absl::Status ValidateTemplates(const std::string& at, const config::Source& source) {
  for (int i = 0; i < source.template__size(); ++i) {
    RETURN_IF_ERROR(Check(absl::StrCat(at, ".template[", i, "]"), source.template_(i)));
  }
  for (int i = 0; i < source.template_file_size(); ++i) {
    if (!source.template_file(i).path().empty()) continue;
    return Missing(absl::StrCat(at, ".template_file[", i, "].path"),
                   "name a templates.yaml of PromptSource");
  }
  if (source.match_template_language() && !HasTemplates(source)) {
    return absl::InvalidArgumentError(
        absl::StrCat(at, ".match_template_language works beside templates only"));
  }
  return absl::OkStatus();
}

std::string TemplatesText(const config::Source& source) {
  if (!HasTemplates(source)) return "";
  config::Source templates;
  *templates.mutable_template_() = source.template_();
  *templates.mutable_template_file() = source.template_file();
  for (config::TemplateFile& file : *templates.mutable_template_file()) file.clear_path();
  templates.set_match_template_language(source.match_template_language());
  return templates.ShortDebugString();
}

}  // namespace frond
