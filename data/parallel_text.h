// Two text files whose lines belong together: inputs and targets. Private to data/.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "data/row_reader.h"

namespace frond {

// Lines that are blank on both sides are no rows. Files of different numbers of lines are an error
// that names both and their numbers.
absl::StatusOr<std::unique_ptr<RowReader>> OpenParallelText(
    std::shared_ptr<const RowBlock::Origin> origin);

}  // namespace frond
