#include "launch/checkpoint_snapshot.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "core/base/check.h"
#include "core/ops/master_pieces.h"
#include "core/tensor/transfer.h"

namespace frond {
namespace {

// What all ranks of a tensor axis hold of one piece of gathered rows.
constexpr int64_t kGatherBytes = int64_t{16} << 20;
// Copied by one thread at a time.
constexpr int64_t kCopyBytes = int64_t{4} << 20;

// Fresh memory costs a page fault every few KB: threads share them.
void CopyByThreads(const void* from, size_t bytes, char* to) {
  const auto size = static_cast<int64_t>(bytes);
#pragma omp parallel for schedule(static)
  for (int64_t at = 0; at < size; at += kCopyBytes) {
    const auto count = static_cast<size_t>(std::min(kCopyBytes, size - at));
    std::memcpy(to + at, static_cast<const char*>(from) + at, count);
  }
}

// The exact numbers of a master to host memory.
void CopyMaster(Allocator* memory, const MasterView& master, char* to) {
  const size_t width = DTypeSize(master.exact_dtype());
  CHECK_OK(ReadMasterInPieces(memory, master, [&](int64_t first, ConstView piece) {
    CopyByThreads(piece.data, piece.bytes(), to + static_cast<size_t>(first) * width);
    return absl::OkStatus();
  }));
}

// Which part of each tensor each rank of the world holds: [tensor][rank].
std::vector<std::vector<ParamSlice>> GatherSlices(Communicator& world,
                                                  std::span<const NamedTensor> tensors) {
  using Place = std::array<int64_t, 4>;
  std::vector<Place> mine;
  for (const NamedTensor& tensor : tensors) {
    const ParamSlice slice = tensor.slice();
    mine.push_back({slice.first_row, slice.rows, slice.first_col, slice.cols});
  }
  const std::vector<std::string> all = world.AllGatherBytes(
      {reinterpret_cast<const char*>(mine.data()), mine.size() * sizeof(Place)});
  std::vector<std::vector<ParamSlice>> slices(tensors.size());
  for (const std::string& bytes : all) {
    CHECK_EQ(bytes.size(), mine.size() * sizeof(Place)) << "ranks save different tensors";
    for (size_t t = 0; t < tensors.size(); ++t) {
      Place place;
      std::memcpy(place.data(), bytes.data() + t * sizeof(Place), sizeof(Place));
      ParamSlice slice = tensors[t].slice();
      slice.first_row = place[0];
      slice.rows = place[1];
      slice.first_col = place[2];
      slice.cols = place[3];
      slices[t].push_back(slice);
    }
  }
  return slices;
}

// The world's ranks of an axis, in its order.
std::vector<int> MembersOf(Communicator& world, Communicator& axis) {
  std::vector<int> members;
  for (const std::string& rank : axis.AllGatherBytes(std::to_string(world.rank()))) {
    members.push_back(std::stoi(rank));
  }
  return members;
}

// Brings the columns of one tensor together.
class ColumnGather {
 public:
  // `slices`: of the axis's members.
  ColumnGather(Context& ctx, Communicator& axis, const NamedTensor& tensor,
               std::vector<ParamSlice> slices)
      : ctx_(ctx), axis_(axis), tensor_(tensor), slices_(std::move(slices)) {
    for (const ParamSlice& slice : slices_) {
      CHECK(slice.cols == slices_[0].cols && slice.first_row == slices_[0].first_row &&
            slice.rows == slices_[0].rows)
          << tensor.name << ": the ranks of a tensor axis hold different rows";
    }
  }

  // Rows of the whole tensor; the rank that passes a `to` gets them there.
  void Rows(int64_t first, int64_t rows, char* to) {
    const int64_t whole_cols = slices_[0].whole_cols;
    const auto width = static_cast<int64_t>(DTypeSize(tensor_.dtype()));
    const int64_t most = std::max<int64_t>(kGatherBytes / (whole_cols * width), 1);
    std::vector<char> value, low;
    for (int64_t done = 0; done < rows; done += most) {
      const int64_t now = std::min(most, rows - done);
      MasterView gathered = {Piece(tensor_.value, first + done, now, to != nullptr, value)};
      if (tensor_.master().is_split()) {
        gathered.low = Piece(tensor_.low, first + done, now, to != nullptr, low);
      }
      if (to != nullptr) CopyMaster(nullptr, gathered, to + done * whole_cols * width);
    }
  }

 private:
  // The columns of all members side by side, in `host`, where they are wanted.
  View Piece(View part, int64_t first, int64_t rows, bool wanted, std::vector<char>& host) {
    const ParamSlice& own = tensor_.slice();
    const size_t width = DTypeSize(part.dtype);
    const View in = frond::Rows(Reshape(part, {own.rows, own.cols}), first - own.first_row,
                                first - own.first_row + rows);
    Tensor out(ctx_, {axis_.size() * rows, own.cols}, part.dtype, MemoryKind::kWorkspace);
    axis_.AllGather(ctx_, in, out).Wait();
    if (!wanted) return {};
    const auto row_bytes = static_cast<size_t>(own.whole_cols) * width;
    const auto run_bytes = static_cast<size_t>(own.cols) * width;
    host.resize(static_cast<size_t>(rows) * row_bytes);
    std::vector<char> block(static_cast<size_t>(rows) * run_bytes);
    for (size_t m = 0; m < slices_.size(); ++m) {
      const auto begin = static_cast<int64_t>(m) * rows;
      CopyToHost(ctx_, frond::Rows(out.view(), begin, begin + rows), block.data());
      char* to = host.data() + static_cast<size_t>(slices_[m].first_col) * width;
      for (size_t r = 0; r < static_cast<size_t>(rows); ++r) {
        std::memcpy(to + r * row_bytes, block.data() + r * run_bytes, run_bytes);
      }
    }
    return {host.data(), {rows, own.whole_cols}, part.dtype};
  }

  Context& ctx_;
  Communicator& axis_;
  const NamedTensor& tensor_;
  std::vector<ParamSlice> slices_;
};

// Rows of a tensor whose columns this rank holds all of.
MasterView OwnRows(const NamedTensor& tensor, const RowShare& share) {
  const ParamSlice slice = tensor.slice();
  const int64_t first = (share.first - slice.first_row) * slice.cols;
  return Slice(tensor.master(), first, share.rows * slice.cols);
}

TensorPart WholeRows(const NamedTensor& tensor, const RowShare& share) {
  ParamSlice slice = tensor.slice();
  slice.first_row = share.first;
  slice.rows = share.rows;
  slice.first_col = 0;
  slice.cols = slice.whole_cols;
  return {tensor.whole_shape(), slice};
}

}  // namespace

char* CheckpointSnapshot::Add(size_t tensor, const NamedTensor& source, const RowShare& share) {
  const TensorPart part = WholeRows(source, share);
  View rows = {nullptr, {part.slice.rows, part.slice.cols}, source.dtype()};
  memory_.push_back(std::make_unique_for_overwrite<char[]>(rows.bytes()));
  rows.data = memory_.back().get();
  rows_.push_back({.tensor = tensor, .rows = {.name = source.name, .value = rows, .part = part}});
  return memory_.back().get();
}

void CheckpointSnapshot::Borrow(size_t tensor, const NamedTensor& source, const RowShare& share) {
  const MasterView rows = OwnRows(source, share);
  memory_.push_back(nullptr);
  rows_.push_back({.tensor = tensor,
                   .rows = {.name = source.name,
                            .value = rows.value,
                            .memory = source.memory,
                            .low = rows.low,
                            .part = WholeRows(source, share)}});
}

CheckpointSnapshot CheckpointSnapshot::Take(Context& ctx, Communicator& world, Communicator& tensor,
                                            std::span<const NamedTensor> tensors,
                                            int64_t min_piece_bytes, bool copy) {
  const std::vector<std::vector<ParamSlice>> slices = GatherSlices(world, tensors);
  const std::vector<int> members = MembersOf(world, tensor);
  CheckpointSnapshot snapshot;
  RowSharing sharing(min_piece_bytes);
  for (size_t t = 0; t < tensors.size(); ++t) {
    const NamedTensor& source = tensors[t];
    const ParamSlice own = source.slice();
    const int64_t row_bytes = own.whole_cols * static_cast<int64_t>(DTypeSize(source.dtype()));
    std::vector<ParamSlice> on_axis;
    for (const int member : members) on_axis.push_back(slices[t][static_cast<size_t>(member)]);
    const bool is_split = own.cols != own.whole_cols;
    for (const RowShare& share : sharing.Next(slices[t], row_bytes)) {
      const bool is_mine = share.rank == world.rank();
      if (!is_split && !copy) {
        if (is_mine) snapshot.Borrow(t, source, share);
        continue;
      }
      char* to = is_mine ? snapshot.Add(t, source, share) : nullptr;
      if (!is_split) {
        if (is_mine) CopyMaster(source.memory, OwnRows(source, share), to);
        continue;
      }
      // Whoever writes them, all ranks of its axis bring their columns.
      if (std::find(members.begin(), members.end(), share.rank) == members.end()) continue;
      ColumnGather(ctx, tensor, source, on_axis).Rows(share.first, share.rows, to);
    }
  }
  return snapshot;
}

}  // namespace frond
