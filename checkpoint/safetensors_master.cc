// Reading masters, which stand on core/ops; the rest of the reader does not.
#include "checkpoint/safetensors.h"
#include "core/base/status_macros.h"
#include "core/ops/master_pieces.h"

namespace frond {

absl::Status SafetensorsReader::ReadMaster(absl::string_view name, const MasterView& out,
                                           Allocator* memory) const {
  ASSIGN_OR_RETURN(const SafetensorsEntry* entry,
                   FindFor(name, out.value.shape, out.exact_dtype()));
  return FillMasterInPieces(
      memory, out, [&](int64_t first, View piece) { return DecodePiece(*entry, first, piece); });
}

}  // namespace frond
