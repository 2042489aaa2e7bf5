#include "checkpoint/cell_sum.h"

#include <algorithm>

#include "core/base/check.h"

namespace frond {

CellSum::CellSum(uint64_t cell_bytes, uint64_t first) : cell_bytes_(cell_bytes), number_(first) {
  CHECK_GT(cell_bytes, 0u);
}

void CellSum::EndCell(uint64_t hash) {
  sum_ += hash;
  ++number_;
  ++cells_;
}

void CellSum::Add(absl::string_view bytes) {
  while (!bytes.empty()) {
    if (partial_ == 0 && bytes.size() >= cell_bytes_) {
      EndCell(SeededHash64(bytes.substr(0, cell_bytes_), number_));
      bytes.remove_prefix(cell_bytes_);
      continue;
    }
    if (partial_ == 0) begun_.Restart(number_);
    const size_t now = std::min<uint64_t>(bytes.size(), cell_bytes_ - partial_);
    begun_.Add(bytes.substr(0, now));
    bytes.remove_prefix(now);
    partial_ += now;
    if (partial_ < cell_bytes_) return;
    partial_ = 0;
    EndCell(begun_.Digest());
  }
}

}  // namespace frond
