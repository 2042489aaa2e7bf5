// Rows of Parquet files, through Apache Arrow's C++ library where it is found (FROND_PARQUET).
// Private to data/.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "data/row_reader.h"

namespace frond {

// Errors name the file: a build without Arrow, a file that is no Parquet, a column of a type that
// cannot be text where a needed field is to be read from it. Rows count from 1.
absl::StatusOr<std::unique_ptr<RowReader>> OpenParquet(
    std::shared_ptr<const RowBlock::Origin> origin);

}  // namespace frond
