// The build without Arrow.
#include "absl/strings/str_cat.h"
#include "data/parquet_reader.h"

namespace frond {

absl::StatusOr<std::unique_ptr<RowReader>> OpenParquet(
    std::shared_ptr<const RowBlock::Origin> origin) {
  return absl::FailedPreconditionError(
      absl::StrCat("'", origin->file.path,
                   "' is Parquet, which this build of frond does not read; configure with "
                   "-DFROND_PARQUET=ON and Apache Arrow's C++ library (docs/data_format.md)"));
}

}  // namespace frond
