// Rows of CSV and TSV files. Private to data/.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "data/row_reader.h"

namespace frond {

// The first record names the columns unless the layout does. Errors, `file:line: what`: a needed
// column that is missing, a name that two columns have, a record of another number of columns, a
// quote that is not closed or has text behind it, invalid UTF-8.
absl::StatusOr<std::unique_ptr<RowReader>> OpenCsv(std::shared_ptr<const RowBlock::Origin> origin,
                                                   char separator);

}  // namespace frond
