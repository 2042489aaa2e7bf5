// Reading and filling masters of any format from host memory, piece by piece: what initialisation
// and checkpoints do, wherever the masters lie.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "core/ops/master.h"

namespace frond {

// As ReadInPieces (core/tensor/transfer.h), in the master's exact dtype.
absl::Status ReadMasterInPieces(
    Allocator* memory, const MasterView& master,
    const std::function<absl::Status(int64_t first, ConstView piece)>& read);

// As FillInPieces; pieces are f32, or f64 where the master is, and stored as WriteMaster does.
absl::Status FillMasterInPieces(Allocator* memory, const MasterView& master,
                                const std::function<absl::Status(int64_t first, View piece)>& fill);

}  // namespace frond
