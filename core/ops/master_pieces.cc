#include "core/ops/master_pieces.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/base/status_macros.h"
#include "core/ops/cpu/master_run.h"
#include "core/tensor/transfer.h"

namespace frond {
namespace {

// Calls `visit(first, count)` for one piece of [0, n) after the other, to the first error.
template <class Visit>
absl::Status ForPieces(int64_t n, const Visit& visit) {
  for (int64_t first = 0; first < n; first += kPieceElements) {
    RETURN_IF_ERROR(visit(first, std::min(kPieceElements, n - first)));
  }
  return absl::OkStatus();
}

// `memory` may be null: the host's.
void ToHost(Allocator* memory, ConstView source, void* target) {
  if (memory != nullptr) return memory->CopyToHost(source.data, source.bytes(), target);
  std::memcpy(target, source.data, source.bytes());
}
void FromHost(Allocator* memory, const void* source, View target) {
  if (memory != nullptr) return memory->CopyFromHost(source, target.bytes(), target.data);
  std::memcpy(target.data, source, target.bytes());
}

size_t PieceCount(const MasterView& master) {
  return static_cast<size_t>(std::min(master.value.num_elements(), kPieceElements));
}

}  // namespace

absl::Status ReadMasterInPieces(
    Allocator* memory, const MasterView& master,
    const std::function<absl::Status(int64_t first, ConstView piece)>& read) {
  if (!master.is_split()) return ReadInPieces(memory, master.value, read);
  std::vector<float> joined(PieceCount(master));
  std::vector<BFloat16> high(joined.size());
  std::vector<int16_t> low(joined.size());
  return ForPieces(master.value.num_elements(), [&](int64_t first, int64_t count) {
    const MasterView part = Slice(master, first, count);
    ToHost(memory, part.value, high.data());
    ToHost(memory, part.low, low.data());
    cpu::JoinRun(high.data(), low.data(), count, joined.data());
    return read(first, ConstView{joined.data(), {count}, DType::kF32});
  });
}

absl::Status FillMasterInPieces(
    Allocator* memory, const MasterView& master,
    const std::function<absl::Status(int64_t first, View piece)>& fill) {
  if (master.value.dtype != DType::kBF16) return FillInPieces(memory, master.value, fill);
  if (memory != nullptr && memory->device() == Device::kMeta) return absl::OkStatus();
  std::vector<float> whole(PieceCount(master));
  std::vector<BFloat16> high(whole.size());
  std::vector<int16_t> low(whole.size());
  return ForPieces(master.value.num_elements(), [&](int64_t first, int64_t count) -> absl::Status {
    RETURN_IF_ERROR(fill(first, View{whole.data(), {count}, DType::kF32}));
    const MasterView part = Slice(master, first, count);
    cpu::SplitRun(whole.data(), count, high.data(), low.data());
    FromHost(memory, high.data(), part.value);
    if (part.is_split()) FromHost(memory, low.data(), part.low);
    return absl::OkStatus();
  });
}

}  // namespace frond
