#include "launch/flags.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "core/base/file.h"
#include "core/base/nearest_name.h"
#include "core/base/status_macros.h"

namespace frond {
namespace {

const FlagSpec* FindSpec(std::span<const FlagSpec> specs, absl::string_view name) {
  const auto found =
      std::find_if(specs.begin(), specs.end(), [&](const FlagSpec& s) { return s.name == name; });
  return found == specs.end() ? nullptr : &*found;
}

absl::Status UnknownFlag(std::span<const FlagSpec> specs, absl::string_view name) {
  std::vector<std::string> names = {"help"};
  for (const FlagSpec& spec : specs) names.push_back(spec.name);
  return absl::InvalidArgumentError(absl::StrCat("unknown flag --", name, "; did you mean --",
                                                 NearestName(std::string(name), names), "?"));
}

}  // namespace

absl::StatusOr<Flags> Flags::Parse(std::span<const FlagSpec> specs,
                                   std::span<const std::string> args) {
  Flags flags;
  for (size_t i = 0; i < args.size(); ++i) {
    absl::string_view word = args[i];
    if (!absl::ConsumePrefix(&word, "--")) {
      return absl::InvalidArgumentError(
          absl::StrCat("unexpected word '", args[i], "'; flags begin with --"));
    }
    const size_t equals = word.find('=');
    const std::string name(word.substr(0, equals));
    if (name == "help") {
      flags.values_["help"].push_back("");
      return flags;
    }
    const FlagSpec* spec = FindSpec(specs, name);
    if (spec == nullptr) return UnknownFlag(specs, name);
    std::string value;
    if (equals != absl::string_view::npos) {
      value = std::string(word.substr(equals + 1));
      if (spec->value_hint.empty()) {
        return absl::InvalidArgumentError(absl::StrCat("--", name, " takes no value"));
      }
    } else if (!spec->value_hint.empty()) {
      if (i + 1 == args.size()) {
        return absl::InvalidArgumentError(
            absl::StrCat("--", name, " needs a value: --", name, " ", spec->value_hint));
      }
      value = args[++i];
    }
    std::vector<std::string>& values = flags.values_[name];
    if (!values.empty() && !spec->repeated) {
      return absl::InvalidArgumentError(absl::StrCat("--", name, " is given twice"));
    }
    values.push_back(value);
  }
  for (const FlagSpec& spec : specs) {
    if (spec.required && !flags.Has(spec.name)) {
      return absl::InvalidArgumentError(
          absl::StrCat("missing flag --", spec.name, " ", spec.value_hint));
    }
    if (spec.writes_file && flags.Has(spec.name)) {
      const absl::Status place = CheckFilePlace(flags.Get(spec.name));
      if (!place.ok()) {
        return absl::Status(place.code(),
                            absl::StrCat("--", spec.name, ": ", std::string(place.message())));
      }
    }
  }
  return flags;
}

bool Flags::Has(absl::string_view name) const {
  return values_.find(std::string(name)) != values_.end();
}

std::string Flags::Get(absl::string_view name, absl::string_view otherwise) const {
  const auto found = values_.find(std::string(name));
  return found == values_.end() ? std::string(otherwise) : found->second.back();
}

std::vector<std::string> Flags::GetAll(absl::string_view name) const {
  const auto found = values_.find(std::string(name));
  return found == values_.end() ? std::vector<std::string>{} : found->second;
}

absl::StatusOr<int64_t> Flags::GetInteger(absl::string_view name, int64_t otherwise, int64_t low,
                                          int64_t high) const {
  if (!Has(name)) return otherwise;
  int64_t value = 0;
  if (!absl::SimpleAtoi(Get(name), &value) || value < low || value > high) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--", name, " is '", Get(name), "', expected an integer from ", low, " to ", high));
  }
  return value;
}

std::string HelpText(absl::string_view command, absl::string_view summary,
                     std::span<const FlagSpec> specs, absl::string_view example) {
  std::string text = absl::StrCat("frond ", command, ": ", summary, "\n\nFlags:\n");
  for (const FlagSpec& spec : specs) {
    const std::string left =
        absl::StrCat("--", spec.name, spec.value_hint.empty() ? "" : " ", spec.value_hint);
    absl::StrAppend(&text, absl::StrFormat("  %-24s %s%s%s\n", left, spec.help,
                                           spec.required ? " (required)" : "",
                                           spec.repeated ? " (may be repeated)" : ""));
  }
  absl::StrAppend(&text, "\nExample:\n  ", example, "\n");
  return text;
}

}  // namespace frond
