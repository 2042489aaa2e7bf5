// From a source of a config to its files and how their rows are read.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "configs/mixture.pb.h"
#include "data/row_files.h"
#include "data/row_layout.h"

namespace frond {

RowLayout RowLayoutOf(const config::Source& source);

// The files of path and target_path, in order. Errors are those of FindRowFiles.
absl::StatusOr<std::vector<RowFile>> RowFilesOf(const config::Source& source);

}  // namespace frond
