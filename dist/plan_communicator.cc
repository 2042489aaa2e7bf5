#include "dist/plan_communicator.h"

#include "core/base/check.h"
#include "dist/reduction_scratch.h"

namespace frond {
PlanCommunicator::PlanCommunicator(int rank, int size, const Options& options)
    : rank_(rank), size_(size), options_(options) {
  CHECK(0 <= rank && rank < size) << "rank " << rank << " of " << size;
}

// Where no time is kept it is done, but the caller has to wait all the same.
Pending PlanCommunicator::Started(CollectiveKind kind, size_t bytes) const {
  if (options_.time == nullptr || size_ == 1) return Pending([] {});
  return Pending(options_.time->Start(kind, bytes));
}

Pending PlanCommunicator::AllReduce(Context& ctx, View inout, Reduce) {
  const bool rides = static_cast<int64_t>(inout.bytes()) <= RidingBytes(size_);
  if (options_.with_scratch && size_ > 1 && !rides) {
    const Tensor scratch = AllReduceScratch(ctx, inout, size_);
  }
  return Started(CollectiveKind::kAllReduce, inout.bytes());
}

Pending PlanCommunicator::ReduceScatter(Context& ctx, ConstView in, View out, Reduce) {
  CHECK_EQ(in.num_elements(), out.num_elements() * size_);
  CHECK(in.dtype == out.dtype) << DTypeName(in.dtype);
  if (options_.with_scratch && size_ > 1) {
    const Tensor scratch = ReduceScatterScratch(ctx, out, size_);
  }
  return Started(CollectiveKind::kReduceScatter, in.bytes());
}

Pending PlanCommunicator::AllGather(Context&, ConstView in, View out) {
  CHECK_EQ(out.num_elements(), in.num_elements() * size_);
  CHECK(in.dtype == out.dtype) << DTypeName(in.dtype);
  return Started(CollectiveKind::kAllGather, out.bytes());
}

Pending PlanCommunicator::Broadcast(Context&, View inout, int root) {
  CHECK(0 <= root && root < size_) << "root " << root << " of " << size_ << " ranks";
  return Started(CollectiveKind::kBroadcast, inout.bytes());
}

std::vector<std::string> PlanCommunicator::AllGatherBytes(absl::string_view bytes) {
  return std::vector<std::string>(static_cast<size_t>(size_), std::string(bytes));
}

std::unique_ptr<Communicator> PlanCommunicator::Split(int, int) {
  CHECK(false) << "a planned group cannot be split";
  return nullptr;
}

}  // namespace frond
