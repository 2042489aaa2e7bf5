#include "launch/source_ledger.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "core/base/file.h"
#include "core/base/human_numbers.h"
#include "core/base/status_macros.h"
#include "mixtures/pruning/ledger_file.h"

namespace frond {
namespace {

constexpr char kLedgerName[] = "ledger.json";

std::string LedgerBeside(const std::string& file) {
  const size_t slash = file.rfind('/');
  return absl::StrCat(slash == std::string::npos ? "" : file.substr(0, slash + 1), kLedgerName);
}

const LedgerFile::Output* OutputOf(const LedgerFile& ledger, const std::string& file) {
  const std::string name = BaseName(file);
  const auto found = std::find_if(ledger.outputs.begin(), ledger.outputs.end(),
                                  [&name](const auto& output) { return output.name == name; });
  return found == ledger.outputs.end() ? nullptr : &*found;
}

}  // namespace

absl::StatusOr<std::vector<SourceLedger>> FindSourceLedgers(const config::Source& source,
                                                            std::span<const std::string> files,
                                                            std::optional<int64_t> num_rows) {
  std::map<std::string, LedgerFile> read;
  std::vector<SourceLedger> ledgers;
  int64_t kept = 0;
  bool knows_all = true;
  for (const std::string& file : files) {
    const std::string path = source.has_ledger() ? source.ledger() : LedgerBeside(file);
    if (read.count(path) == 0 && (source.has_ledger() || PathExists(path))) {
      ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
      if (source.has_ledger() || IsLedger(text)) {
        ASSIGN_OR_RETURN(read[path], ParseLedger(text, path));
      }
    }
    const auto found = read.find(path);
    const LedgerFile::Output* output =
        found == read.end() ? nullptr : OutputOf(found->second, file);
    knows_all &= output != nullptr;
    if (output != nullptr) kept += output->kept;
    // A ledger that lies beside by chance speaks of other files.
    const bool speaks = output != nullptr || (source.has_ledger() && found != read.end());
    const bool is_new = std::none_of(ledgers.begin(), ledgers.end(),
                                     [&path](const auto& known) { return known.path == path; });
    if (speaks && is_new) ledgers.push_back({.path = path, .hash = found->second.hash});
  }
  if (knows_all && num_rows && kept != *num_rows) {
    return absl::FailedPreconditionError(absl::StrCat(
        "source '", source.name(), "' has ", WithThousands(*num_rows), " rows, but its ledger '",
        ledgers[0].path, "' says that ", WithThousands(kept),
        " were kept; prune again, or take the ledger away if the rows are meant to be others"));
  }
  return ledgers;
}

}  // namespace frond
