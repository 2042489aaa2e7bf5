// Runs the parts of a split vocabulary one after another in one process, as if they were ranks.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/ops/head_loss.h"

namespace frond::testing {

// Calls run(parts, rows, is_final) for each part, whose numbers of rows are given: first to record
// the statistics of its chunks, then once more with those of all parts. Results of calls that are
// not final are meaningless. CHECKs that both times a part has the same number of chunks and tells
// the others the same.
void RunParts(
    const std::vector<int64_t>& rows,
    const std::function<void(const HeadLossParts& parts, int64_t rows, bool is_final)>& run);

}  // namespace frond::testing
