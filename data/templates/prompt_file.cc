#include "data/templates/prompt_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/file.h"
#include "core/base/name_list.h"
#include "core/base/status_macros.h"
#include "data/templates/python_text.h"

namespace frond {
namespace {

absl::Status Bad(const std::string& path, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", templates::OneLine(what)));
}

// One entry of `templates:` as it is written.
struct Entry {
  PromptInfo info;
  std::string jinja;
  std::string answer_choices;
};

// A scalar field of a template; empty where it is not there or null.
absl::Status ReadText(const YAML::Node& node, const char* key, std::string* text) {
  const YAML::Node field = node[key];
  if (!field.IsDefined() || field.IsNull()) return absl::OkStatus();
  if (!field.IsScalar()) return absl::InvalidArgumentError(absl::StrCat("'", key, "' is no text"));
  *text = field.Scalar();
  return absl::OkStatus();
}

absl::Status ReadLanguages(const YAML::Node& metadata, std::vector<std::string>* languages) {
  const YAML::Node list = metadata["languages"];
  if (!list.IsDefined() || list.IsNull()) return absl::OkStatus();
  if (!list.IsSequence()) return absl::InvalidArgumentError("'languages' is no list");
  for (const YAML::Node& language : list) {
    if (!language.IsScalar()) return absl::InvalidArgumentError("'languages' is no list of texts");
    languages->push_back(language.Scalar());
  }
  return absl::OkStatus();
}

absl::Status ReadEntry(const YAML::Node& node, Entry* entry) {
  if (!node.IsMap() || node.Tag() != "!Template") {
    return absl::InvalidArgumentError(
        absl::StrCat("it is no '!Template' but ",
                     node.Tag().size() > 1 ? absl::StrCat("'", node.Tag(), "'") : "something else",
                     " (line ", node.Mark().line + 1, ")"));
  }
  RETURN_IF_ERROR(ReadText(node, "name", &entry->info.name));
  if (node["id"].IsDefined()) RETURN_IF_ERROR(ReadText(node, "id", &entry->info.id));
  RETURN_IF_ERROR(ReadText(node, "jinja", &entry->jinja));
  RETURN_IF_ERROR(ReadText(node, "answer_choices", &entry->answer_choices));
  const YAML::Node metadata = node["metadata"];
  if (metadata.IsDefined() && metadata.IsMap())
    return ReadLanguages(metadata, &entry->info.languages);
  return absl::OkStatus();
}

// Whether a selection names this template.
bool Names(const std::vector<std::string>& names, const PromptInfo& info) {
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& name) { return name == info.id || name == info.name; });
}

std::vector<std::string> NamesOf(const std::vector<Entry>& entries) {
  std::vector<std::string> names;
  for (const Entry& entry : entries) names.push_back(entry.info.name);
  return names;
}

// The names that a message lists.
std::string SomeOf(std::vector<std::string> names) {
  constexpr size_t kShown = 10;
  for (std::string& name : names) name = absl::StrCat("'", name, "'");
  return NameList(names, kShown);
}

absl::StatusOr<std::vector<Entry>> ReadEntries(const std::string& path, const YAML::Node& root) {
  const YAML::Node templates = root.IsMap() ? root["templates"] : YAML::Node();
  if (!templates.IsDefined() || !templates.IsMap()) return Bad(path, "it has no map 'templates'");
  std::vector<Entry> entries;
  for (const auto& pair : templates) {
    Entry entry;
    entry.info.id = pair.first.IsScalar() ? pair.first.Scalar() : "";
    if (absl::Status status = ReadEntry(pair.second, &entry); !status.ok()) {
      const std::string& shown = entry.info.name.empty() ? entry.info.id : entry.info.name;
      return Bad(path, absl::StrCat("template '", shown, "': ", status.message()));
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

absl::StatusOr<std::vector<Entry>> ParseFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  if (!templates::IsUtf8(text)) return Bad(path, "it is not UTF-8");
  try {
    return ReadEntries(path, YAML::Load(text));
  } catch (const YAML::Exception& error) {
    return Bad(path, absl::StrCat("line ", error.mark.line + 1, ": ", error.msg));
  }
}

}  // namespace

absl::StatusOr<std::vector<Prompt>> ReadPromptFile(const std::string& path,
                                                   const PromptSelection& selection) {
  ASSIGN_OR_RETURN(const std::vector<Entry> entries, ParseFile(path));
  for (const std::vector<std::string>* names : {&selection.include, &selection.exclude}) {
    for (const std::string& name : *names) {
      if (std::none_of(entries.begin(), entries.end(),
                       [&](const Entry& entry) { return Names({name}, entry.info); })) {
        return Bad(path,
                   absl::StrCat("it has no template '", name, "', but ", SomeOf(NamesOf(entries))));
      }
    }
  }
  std::vector<Prompt> prompts;
  for (const Entry& entry : entries) {
    if (!selection.include.empty() && !Names(selection.include, entry.info)) continue;
    if (Names(selection.exclude, entry.info)) continue;
    if (selection.accepts && !selection.accepts(entry.info)) continue;
    PromptInfo info = entry.info;
    info.example_language = selection.example_language;
    absl::StatusOr<Prompt> prompt =
        Prompt::FromJinja(std::move(info), entry.jinja, entry.answer_choices);
    if (!prompt.ok()) return Bad(path, prompt.status().message());
    prompts.push_back(*std::move(prompt));
  }
  if (prompts.empty()) {
    std::set<std::string> languages;
    for (const Entry& entry : entries) {
      languages.insert(entry.info.languages.begin(), entry.info.languages.end());
    }
    return Bad(path, absl::StrCat("no template is selected of ", SomeOf(NamesOf(entries)),
                                  languages.empty() ? "" : ", whose languages are ",
                                  absl::StrJoin(languages, ", ")));
  }
  return prompts;
}

}  // namespace frond
