// How the rows of sources are read: schemas that several sources share, and what of it goes
// together.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "configs/prune_config.pb.h"
#include "configs/train.pb.h"

namespace frond {

// Writes into every source that names a schema what the schema says and the source does not, then
// takes names and schemas out of the config. A source of a tree finds its schema in its group, in
// the groups around it, in `data`; eval's sources find theirs in the root of the tree or in `data`.
// Errors, in one line: a name that is nowhere, two schemas of one name in a place.
absl::Status ResolveSchemas(config::TrainConfig& config);
absl::Status ResolveSchemas(config::PruneConfig& config);

// Whether what a source says of its files goes together. Errors begin with `at`, the path of the
// source's field.
absl::Status CheckReading(const std::string& at, const config::Source& source);

}  // namespace frond
