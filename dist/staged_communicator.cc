#include "dist/staged_communicator.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "core/base/check.h"
#include "core/tensor/transfer.h"

namespace frond {
namespace {

// Elements of a rank on their way at once: bounds the pinned memory.
constexpr int64_t kStagedElements = int64_t{1} << 20;

Pending Done() {
  return Pending([] {});
}

// Calls `move(first, count)` for one piece after the other. Nothing at all is a piece too, so that
// ranks that disagree on the size are found out.
void InPieces(int64_t n, const std::function<void(int64_t first, int64_t count)>& move) {
  int64_t first = 0;
  do {
    const int64_t count = std::min(kStagedElements, n - first);
    move(first, count);
    first += count;
  } while (first < n);
}

// Elements [first, first + count) of x, as a vector.
View Piece(View x, int64_t first, int64_t count) {
  return Rows(Reshape(x, {x.num_elements()}), first, first + count);
}
ConstView Piece(ConstView x, int64_t first, int64_t count) {
  return Rows(Reshape(x, {x.num_elements()}), first, first + count);
}

}  // namespace

StagedCommunicator::StagedCommunicator(std::unique_ptr<Communicator> host)
    : host_(std::move(host)), host_ctx_(host_memory_) {}

View StagedCommunicator::Staged(int64_t elements, DType dtype) {
  const size_t bytes = static_cast<size_t>(elements) * DTypeSize(dtype);
  return {staging_.Reserve(std::max(bytes, size_t{64})), Shape{elements}, dtype};
}

Pending StagedCommunicator::AllReduce(Context& ctx, View inout, Reduce op) {
  if (ctx.device() == Device::kCpu) return host_->AllReduce(ctx, inout, op);
  if (size() == 1) return Done();
  InPieces(inout.num_elements(), [&](int64_t first, int64_t count) {
    const View piece = Piece(inout, first, count);
    const View staged = Staged(count, inout.dtype);
    CopyToHost(ctx, piece, staged.data);
    host_->AllReduce(host_ctx_, staged, op).Wait();
    CopyFromHost(ctx, staged.data, piece);
  });
  return Done();
}

Pending StagedCommunicator::ReduceScatter(Context& ctx, ConstView in, View out, Reduce op) {
  if (ctx.device() == Device::kCpu) return host_->ReduceScatter(ctx, in, out, op);
  const int64_t n = out.num_elements();
  CHECK_EQ(in.num_elements(), n * size());
  CHECK(in.dtype == out.dtype);
  InPieces(n, [&](int64_t first, int64_t count) {
    const View staged = Staged((size() + 1) * count, in.dtype);  // all ranks' parts, then mine
    const View parts = Piece(staged, 0, size() * count);
    const View mine = Piece(staged, size() * count, count);
    for (int r = 0; r < size(); ++r) {
      CopyToHost(ctx, Piece(in, r * n + first, count), Piece(parts, r * count, count).data);
    }
    host_->ReduceScatter(host_ctx_, parts, mine, op).Wait();
    CopyFromHost(ctx, mine.data, Piece(out, first, count));
  });
  return Done();
}

Pending StagedCommunicator::AllGather(Context& ctx, ConstView in, View out) {
  if (ctx.device() == Device::kCpu) return host_->AllGather(ctx, in, out);
  const int64_t n = in.num_elements();
  CHECK_EQ(out.num_elements(), n * size());
  CHECK(in.dtype == out.dtype);
  InPieces(n, [&](int64_t first, int64_t count) {
    const View parts = Staged(size() * count, in.dtype);
    const View mine = Piece(parts, rank() * count, count);
    CopyToHost(ctx, Piece(in, first, count), mine.data);
    host_->AllGather(host_ctx_, mine, parts).Wait();
    for (int r = 0; r < size(); ++r) {
      CopyFromHost(ctx, Piece(parts, r * count, count).data, Piece(out, r * n + first, count));
    }
  });
  return Done();
}

Pending StagedCommunicator::Broadcast(Context& ctx, View inout, int root) {
  if (ctx.device() == Device::kCpu) return host_->Broadcast(ctx, inout, root);
  InPieces(inout.num_elements(), [&](int64_t first, int64_t count) {
    const View piece = Piece(inout, first, count);
    const View staged = Staged(count, inout.dtype);
    if (rank() == root) CopyToHost(ctx, piece, staged.data);
    host_->Broadcast(host_ctx_, staged, root).Wait();
    if (rank() != root) CopyFromHost(ctx, staged.data, piece);
  });
  return Done();
}

std::unique_ptr<Communicator> StagedCommunicator::Split(int color, int key) {
  return std::make_unique<StagedCommunicator>(host_->Split(color, key));
}

}  // namespace frond
