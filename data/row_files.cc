#include "data/row_files.h"

#include <fnmatch.h>
#include <glob.h>

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"

namespace frond {
namespace {

constexpr absl::string_view kLanguage = "{language}";

// Two or three letters, then subtags such as Hans, Latn, CN or valencia.
bool LooksLikeLanguage(absl::string_view code) {
  const std::vector<absl::string_view> parts = absl::StrSplit(code, absl::ByAnyChar("-_"));
  const auto all = [](absl::string_view part, bool (*is)(unsigned char)) {
    return std::all_of(part.begin(), part.end(), is);
  };
  if (parts[0].size() < 2 || parts[0].size() > 3 || !all(parts[0], absl::ascii_isalpha)) {
    return false;
  }
  return std::all_of(parts.begin() + 1, parts.end(), [&](absl::string_view part) {
    return part.size() >= 2 && part.size() <= 8 && all(part, absl::ascii_isalnum);
  });
}

bool MatchesGlob(const std::string& pattern, const std::string& text) {
  return ::fnmatch(pattern.c_str(), text.c_str(), FNM_PATHNAME) == 0;
}

// The code that stands in `path` everywhere `pattern` says {language}; empty where none does.
std::string LanguageIn(const std::string& path, const std::string& pattern) {
  const size_t at = pattern.find(kLanguage.data());
  const std::string before = pattern.substr(0, at);
  const std::string after = pattern.substr(at + kLanguage.size());
  for (size_t begin = path.size(); begin-- > 0;) {
    if (!MatchesGlob(before, path.substr(0, begin))) continue;
    for (size_t end = path.size(); end > begin; --end) {
      const std::string code = path.substr(begin, end - begin);
      if (!LooksLikeLanguage(code)) continue;
      const std::string rest = absl::StrReplaceAll(after, {{kLanguage, code}});
      if (MatchesGlob(rest, path.substr(end))) return code;
    }
  }
  return "";
}

absl::Status NoMatch(const std::string& pattern) {
  return absl::NotFoundError(absl::StrCat("no file matches '", pattern, "'"));
}

absl::StatusOr<std::vector<std::string>> Matches(const std::string& pattern) {
  if (PathExists(pattern)) return std::vector{pattern};  // also where the name itself holds a '['
  const std::string plain = absl::StrReplaceAll(pattern, {{kLanguage, "*"}});
  glob_t found = {};
  std::vector<std::string> matches;
  if (::glob(plain.c_str(), GLOB_ERR, nullptr, &found) == 0) {
    matches.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  }
  ::globfree(&found);
  if (matches.empty()) return NoMatch(pattern);
  std::sort(matches.begin(), matches.end());  // glob() sorts by the locale
  return matches;
}

absl::Status CheckPath(const std::string& path, std::set<std::string>* seen) {
  if (IsDirectory(path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", path, "' is a folder; expected a file, or a glob such as '",
                     JoinPath(path, "*.jsonl"), "'"));
  }
  if (seen->insert(path).second) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("'", path, "' is named twice"));
}

// Appends the file, unless `pattern` names the language twice and the path has two different ones:
// that is no match.
absl::Status AppendFile(const std::string& path, const std::string& pattern,
                        std::vector<RowFile>* files) {
  RowFile file{.path = path};
  const size_t at = path == pattern ? pattern.npos : pattern.find(kLanguage.data());
  if (at != pattern.npos) {
    file.language = LanguageIn(path, pattern);
    if (file.language.empty()) {
      if (pattern.find(kLanguage.data(), at + 1) != pattern.npos) return absl::OkStatus();
      return absl::InvalidArgumentError(absl::StrCat("'", path, "' matches '", pattern,
                                                     "', but where that says ", kLanguage,
                                                     " stands no code such as sw, swa or zh-Hans"));
    }
  }
  files->push_back(std::move(file));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<RowFile>> FindFiles(std::span<const std::string> patterns) {
  std::vector<RowFile> files;
  std::set<std::string> seen;
  for (const std::string& pattern : patterns) {
    ASSIGN_OR_RETURN(const std::vector<std::string> matches, Matches(pattern));
    const size_t before = files.size();
    for (const std::string& path : matches) RETURN_IF_ERROR(AppendFile(path, pattern, &files));
    if (files.size() == before) return NoMatch(pattern);
    for (size_t i = before; i < files.size(); ++i) {
      RETURN_IF_ERROR(CheckPath(files[i].path, &seen));
    }
  }
  return files;
}

// Makes `file` inputs of the targets in another one.
absl::Status Pair(const RowFile& target, RowFile* file) {
  const bool both = !file->language.empty() && !target.language.empty();
  if (both && file->language != target.language) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", file->path, "' and '", target.path,
                     "' would belong together, but their languages differ"));
  }
  file->target_path = target.path;
  if (!target.language.empty()) file->language = target.language;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ExpandPaths(std::span<const std::string> patterns) {
  ASSIGN_OR_RETURN(std::vector<RowFile> files, FindFiles(patterns));
  std::vector<std::string> paths;
  for (RowFile& file : files) paths.push_back(std::move(file.path));
  return paths;
}

absl::StatusOr<std::vector<RowFile>> FindRowFiles(std::span<const std::string> patterns,
                                                  std::span<const std::string> target_patterns) {
  ASSIGN_OR_RETURN(std::vector<RowFile> files, FindFiles(patterns));
  if (target_patterns.empty()) return files;
  ASSIGN_OR_RETURN(std::vector<RowFile> targets, FindFiles(target_patterns));
  const size_t pairs = std::max(files.size(), targets.size());
  // One text serves for all translations.
  if (files.size() == 1) files.resize(pairs, files[0]);
  if (targets.size() == 1) targets.resize(pairs, targets[0]);
  if (files.size() != targets.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("path '", patterns.front(), "' gives ", files.size(),
                     " files and target_path '", target_patterns.front(), "' ", targets.size(),
                     "; expected as many, or one file for all of the others"));
  }
  for (size_t i = 0; i < pairs; ++i) RETURN_IF_ERROR(Pair(targets[i], &files[i]));
  return files;
}

}  // namespace frond
