// Reading masters, which stand on core/ops; the rest of the reader does not.
#include "checkpoint/safetensors.h"
#include "core/base/check.h"
#include "core/base/status_macros.h"
#include "core/ops/master_pieces.h"

namespace frond {

absl::Status SafetensorsReader::ReadMaster(absl::string_view name, const NamedTensor& out) const {
  ASSIGN_OR_RETURN(const SafetensorsEntry* entry, FindFor(name, out.whole_shape(), out.dtype()));
  const ParamSlice slice = out.slice();
  CHECK_EQ(out.value.num_elements(), slice.num_elements()) << out.name;
  return FillMasterInPieces(out.memory, out.master(), [&](int64_t first, View piece) {
    return DecodePiece(*entry, slice, first, piece);
  });
}

}  // namespace frond
