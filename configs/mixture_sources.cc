#include "configs/mixture_sources.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "configs/config_reader.h"
#include "configs/source_schemas.h"
#include "configs/template_fields.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"

namespace frond {
namespace {

using config::Mixture;

// Links between folders can hide a circle from a comparison of paths.
constexpr size_t kDeepestImport = 64;

void AppendSources(Mixture& group, std::vector<config::Source*>& sources) {
  for (Mixture& child : *group.mutable_group()) AppendSources(child, sources);
  for (config::Dataset& dataset : *group.mutable_dataset()) {
    sources.push_back(dataset.mutable_source());
  }
}

void AppendSources(const Mixture& group, std::vector<const config::Source*>& sources) {
  for (const Mixture& child : group.group()) AppendSources(child, sources);
  for (const config::Dataset& dataset : group.dataset()) sources.push_back(&dataset.source());
}

void AppendEvaluation(config::Prune& prune, std::vector<config::Source*>& sources) {
  for (config::Source& source : *prune.mutable_evaluation()) sources.push_back(&source);
}

void AppendEvaluation(Mixture& group, std::vector<config::Source*>& sources) {
  if (group.has_prune()) AppendEvaluation(*group.mutable_prune(), sources);
  for (Mixture& child : *group.mutable_group()) AppendEvaluation(child, sources);
  for (config::Dataset& dataset : *group.mutable_dataset()) {
    if (dataset.has_prune()) AppendEvaluation(*dataset.mutable_prune(), sources);
  }
}

std::string FolderOf(const std::string& file) {
  const size_t slash = file.rfind('/');
  return slash == std::string::npos ? "" : file.substr(0, slash + 1);
}

// The shortest form of a path as text, so that one file has one name in a chain of imports.
std::string Tidied(const std::string& path) {
  std::vector<std::string> parts;
  size_t begin = 0;
  while (begin <= path.size()) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string part = path.substr(begin, end - begin);
    begin = end + 1;
    if (part == "." || (part.empty() && !parts.empty())) continue;
    if (part == ".." && !parts.empty() && parts.back() != ".." && !parts.back().empty()) {
      parts.pop_back();
    } else {
      parts.push_back(part);
    }
  }
  return absl::StrJoin(parts, "/");
}

absl::Status Inline(std::vector<std::string>& chain, Mixture& mixture) {
  if (mixture.has_import()) {
    const std::string& wanted = mixture.import();
    if (mixture.group_size() + mixture.dataset_size() + mixture.limit_size() > 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(chain.back(), ": groups, datasets or limits beside import: \"", wanted,
                       "\"; put the import in a group of its own"));
    }
    const std::string file =
        Tidied(absl::StrCat(wanted[0] == '/' ? "" : FolderOf(chain.back()), wanted));
    const bool cyclic = std::find(chain.begin(), chain.end(), file) != chain.end();
    chain.push_back(file);
    if (cyclic) {
      return absl::InvalidArgumentError(
          absl::StrCat("files import each other in a circle: ", absl::StrJoin(chain, " -> ")));
    }
    if (chain.size() > kDeepestImport) {
      return absl::InvalidArgumentError(absl::StrCat(file, ": imported by more than ",
                                                     kDeepestImport, " files, one by the other"));
    }
    ASSIGN_OR_RETURN(const std::string text, ReadFile(file));
    Mixture imported;
    RETURN_IF_ERROR(ParseText(text, file, imported));
    RETURN_IF_ERROR(Inline(chain, imported));
    chain.pop_back();
    mixture.clear_import();
    imported.MergeFrom(mixture);
    // A rule beside the import replaces the file's as a whole.
    if (mixture.has_weighting()) *imported.mutable_weighting() = mixture.weighting();
    if (mixture.has_across_languages()) {
      *imported.mutable_across_languages() = mixture.across_languages();
    }
    if (mixture.has_prune()) *imported.mutable_prune() = mixture.prune();
    mixture = std::move(imported);
    return absl::OkStatus();
  }
  for (Mixture& group : *mixture.mutable_group()) RETURN_IF_ERROR(Inline(chain, group));
  return absl::OkStatus();
}

absl::Status Missing(absl::string_view path, absl::string_view right) {
  return absl::InvalidArgumentError(absl::StrCat(path, " is missing; ", right));
}

absl::Status CheckRule(const std::string& at, const config::Weighting& rule) {
  if (rule.rule_case() == config::Weighting::RULE_NOT_SET) {
    return Missing(at,
                   "name one of literal, proportional, temperature, examples_proportional, unimax");
  }
  if (rule.has_temperature() &&
      rule.temperature().has_temperature() == rule.temperature().has_alpha()) {
    return absl::InvalidArgumentError(absl::StrCat(
        at, ".temperature takes either temperature or alpha, which is 1 / temperature"));
  }
  if (rule.temperature().has_alpha() && !(rule.temperature().alpha() > 0)) {
    return absl::InvalidArgumentError(absl::StrCat(
        at, ".temperature.alpha is ", rule.temperature().alpha(), "; it must be a number above 0"));
  }
  if (rule.has_unimax() && !rule.unimax().has_budget()) {
    return Missing(at + ".unimax.budget", "say how much the run is to see, in the rule's unit");
  }
  for (const config::NamedWeight& weight : rule.literal().weight()) {
    if (!weight.has_name() || !weight.has_weight()) {
      return Missing(at + ".literal.weight", "give both a name and a weight");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckPrune(const std::string& at, const config::Prune& prune) {
  if (prune.rule().empty())
    return Missing(at + ".rule", "give it a rule, such as rule { target {} }");
  for (int i = 0; i < prune.evaluation_size(); ++i) {
    const std::string set = absl::StrCat(at, ".evaluation[", i, "]");
    if (prune.evaluation(i).path().empty()) return Missing(set + ".path", "name its files");
    RETURN_IF_ERROR(CheckReading(set, prune.evaluation(i)));
  }
  return absl::OkStatus();
}

class Checker {
 public:
  absl::Status Group(const std::string& at, const Mixture& group, bool is_root) {
    if (group.has_import()) {
      return absl::InvalidArgumentError(absl::StrCat(at, ".import works in files only"));
    }
    if (!is_root && group.name().empty()) return Missing(at + ".name", "every group needs one");
    RETURN_IF_ERROR(Named(at, "group", group.name()));
    if (group.group_size() + group.dataset_size() == 0) {
      return Missing(at, "give it a group or a dataset");
    }
    if (group.has_examples() && !is_root) {
      return absl::InvalidArgumentError(
          absl::StrCat(at, ".examples belongs to the root, data.mixture.examples"));
    }
    if (group.has_examples() && group.examples() < 1) {
      return absl::InvalidArgumentError(
          absl::StrCat(at, ".examples is ", group.examples(), "; it must be at least 1"));
    }
    if (group.has_weighting()) RETURN_IF_ERROR(CheckRule(at + ".weighting", group.weighting()));
    if (group.has_across_languages()) {
      RETURN_IF_ERROR(CheckRule(at + ".across_languages", group.across_languages()));
    }
    if (group.has_prune()) RETURN_IF_ERROR(CheckPrune(at + ".prune", group.prune()));
    for (int i = 0; i < group.group_size(); ++i) {
      RETURN_IF_ERROR(Group(absl::StrCat(at, ".group[", i, "]"), group.group(i), false));
    }
    for (int i = 0; i < group.dataset_size(); ++i) {
      RETURN_IF_ERROR(Dataset(absl::StrCat(at, ".dataset[", i, "]"), group.dataset(i)));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Dataset(const std::string& at, const config::Dataset& dataset) {
    const config::Source& source = dataset.source();
    if (source.path_size() == 0) return Missing(at + ".source.path", "name its files");
    RETURN_IF_ERROR(CheckReading(at + ".source", source));
    if (source.name().empty()) return Missing(at + ".source.name", "its path gives it no name");
    RETURN_IF_ERROR(Named(at + ".source", "dataset", source.name()));
    RETURN_IF_ERROR(ValidateTemplates(at + ".source", source));
    if (dataset.has_prune()) RETURN_IF_ERROR(CheckPrune(at + ".prune", dataset.prune()));
    if (dataset.has_languages()) RETURN_IF_ERROR(CheckRule(at + ".languages", dataset.languages()));
    return dataset.has_templates() ? CheckRule(at + ".templates", dataset.templates())
                                   : absl::OkStatus();
  }

  // Limits and reports speak of groups and datasets by name.
  absl::Status Named(const std::string& at, absl::string_view kind, const std::string& name) {
    if (name.empty() || names_.insert(absl::StrCat(kind, " ", name)).second)
      return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(at, ".name is \"", name, "\", which another ",
                                                   kind, " of the tree has; names must differ"));
  }

  std::set<std::string> names_;
};

}  // namespace

std::vector<const config::Source*> SourcesOf(const config::Data& data) {
  std::vector<const config::Source*> sources;
  for (const config::Source& source : data.source()) sources.push_back(&source);
  AppendSources(data.mixture(), sources);
  return sources;
}

std::vector<config::Source*> SourcesOf(config::Data& data) {
  std::vector<config::Source*> sources;
  for (config::Source& source : *data.mutable_source()) sources.push_back(&source);
  if (data.has_mixture()) AppendSources(*data.mutable_mixture(), sources);
  return sources;
}

std::vector<config::Source*> EvaluationSetsOf(config::Data& data) {
  std::vector<config::Source*> sources;
  if (data.has_mixture()) AppendEvaluation(*data.mutable_mixture(), sources);
  return sources;
}

absl::Status InlineImports(const std::string& file, Mixture& mixture) {
  std::vector<std::string> chain = {Tidied(file)};
  return Inline(chain, mixture);
}

absl::Status ValidateMixture(const Mixture& mixture) {
  RETURN_IF_ERROR(RefuseTemplatesBelowRules("data.mixture", mixture));
  return Checker().Group("data.mixture", mixture, /*is_root=*/true);
}

}  // namespace frond
