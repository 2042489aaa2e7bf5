#include "core/ops/cpu/scatter_rows.h"

#include <cstring>

namespace frond::cpu {

void ScatterRows(Context&, ConstColumns x, std::span<const int64_t> rows, View y) {
  const size_t row_bytes = static_cast<size_t>(x.columns) * DTypeSize(x.dtype);
  const size_t row_pitch = static_cast<size_t>(x.pitch) * DTypeSize(x.dtype);
  const char* from = static_cast<const char*>(x.data);
  char* to = static_cast<char*>(y.data);
  for (size_t i = 0; i < rows.size(); ++i) {
    std::memcpy(to + static_cast<size_t>(rows[i]) * row_bytes, from + i * row_pitch, row_bytes);
  }
}

}  // namespace frond::cpu
