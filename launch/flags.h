// Command-line flags of one sub-command: --name value or --name=value.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace frond {

// One flag. A switch takes no value; a repeated flag may be given several times.
struct FlagSpec {
  std::string name;        // without dashes
  std::string value_hint;  // e.g. "FILE"; empty for a switch
  std::string help;
  bool required = false;
  bool repeated = false;
  bool writes_file = false;  // the value is a file to write: its place is checked before any work
};

class Flags {
 public:
  // Reads `args` (after the sub-command's name). An unknown flag is answered with the nearest one;
  // missing values, missing required flags and stray words are errors. `--help` is always known.
  static absl::StatusOr<Flags> Parse(std::span<const FlagSpec> specs,
                                     std::span<const std::string> args);

  bool Has(absl::string_view name) const;
  // The last value given, or `otherwise`.
  std::string Get(absl::string_view name, absl::string_view otherwise = "") const;
  std::vector<std::string> GetAll(absl::string_view name) const;
  // An integer in [low, high].
  absl::StatusOr<int64_t> GetInteger(absl::string_view name, int64_t otherwise, int64_t low,
                                     int64_t high) const;

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

// The text of --help: usage, one line per flag, an example.
std::string HelpText(absl::string_view command, absl::string_view summary,
                     std::span<const FlagSpec> specs, absl::string_view example);

}  // namespace frond
