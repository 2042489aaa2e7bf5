// The ledger of a dataset that `frond prune` wrote.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "configs/train.pb.h"

namespace frond {

struct SourceLedger {
  std::string path;
  std::string hash;
};

// That of source.ledger, or the ones that lie beside `files` and name them; none where there is
// none. Errors: a ledger that cannot be read or is damaged, and files that hold another number of
// rows (`num_rows`, where it is known) than were kept.
absl::StatusOr<std::vector<SourceLedger>> FindSourceLedgers(const config::Source& source,
                                                            std::span<const std::string> files,
                                                            std::optional<int64_t> num_rows);

}  // namespace frond
