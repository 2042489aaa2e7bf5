#include "dist/communication_count.h"

namespace frond {

absl::string_view CollectiveKindName(CollectiveKind kind) {
  switch (kind) {
    case CollectiveKind::kAllReduce:
      return "all-reduce";
    case CollectiveKind::kReduceScatter:
      return "reduce-scatter";
    case CollectiveKind::kAllGather:
      return "all-gather";
    case CollectiveKind::kBroadcast:
      return "broadcast";
    case CollectiveKind::kAllGatherBytes:
      return "host bytes";
  }
  return "?";
}

void CommunicationCount::Add(CollectiveKind kind, size_t bytes) {
  Entry& entry = by_kind[static_cast<size_t>(kind)];
  ++entry.calls;
  entry.bytes += static_cast<int64_t>(bytes);
}

CommunicationCount Difference(const CommunicationCount& after, const CommunicationCount& before) {
  CommunicationCount difference = after;
  for (size_t kind = 0; kind < kNumCollectiveKinds; ++kind) {
    difference.by_kind[kind].calls -= before.by_kind[kind].calls;
    difference.by_kind[kind].bytes -= before.by_kind[kind].bytes;
  }
  return difference;
}

double RingBytes(const CommunicationCount& count, int ranks) {
  if (ranks <= 1) return 0;
  const auto bytes = [&](CollectiveKind kind) { return static_cast<double>(count.of(kind).bytes); };
  const double once = bytes(CollectiveKind::kReduceScatter) + bytes(CollectiveKind::kAllGather) +
                      bytes(CollectiveKind::kAllGatherBytes);
  const double share = static_cast<double>(ranks - 1) / ranks;
  return share * (once + 2 * bytes(CollectiveKind::kAllReduce)) + bytes(CollectiveKind::kBroadcast);
}

CountingCommunicator::CountingCommunicator(Communicator& group,
                                           std::shared_ptr<CommunicationLog> log)
    : group_(&group), log_(std::move(log)) {
  count_ = &log_->groups.emplace_back(CommunicationLog::Group{.size = size(), .count = {}}).count;
}

CountingCommunicator::CountingCommunicator(std::unique_ptr<Communicator> group,
                                           std::shared_ptr<CommunicationLog> log)
    : CountingCommunicator(*group, std::move(log)) {
  owned_ = std::move(group);
}

void CountingCommunicator::Count(CollectiveKind kind, size_t bytes) {
  if (size() > 1) count_->Add(kind, bytes);
}

Pending CountingCommunicator::AllReduce(Context& ctx, View inout, Reduce op) {
  Count(CollectiveKind::kAllReduce, inout.bytes());
  return group_->AllReduce(ctx, inout, op);
}

Pending CountingCommunicator::ReduceScatter(Context& ctx, ConstView in, View out, Reduce op) {
  Count(CollectiveKind::kReduceScatter, in.bytes());
  return group_->ReduceScatter(ctx, in, out, op);
}

Pending CountingCommunicator::AllGather(Context& ctx, ConstView in, View out) {
  Count(CollectiveKind::kAllGather, out.bytes());
  return group_->AllGather(ctx, in, out);
}

Pending CountingCommunicator::Broadcast(Context& ctx, View inout, int root) {
  Count(CollectiveKind::kBroadcast, inout.bytes());
  return group_->Broadcast(ctx, inout, root);
}

std::vector<std::string> CountingCommunicator::AllGatherBytes(absl::string_view bytes) {
  std::vector<std::string> all = group_->AllGatherBytes(bytes);
  size_t total = 0;
  for (const std::string& part : all) total += part.size();
  Count(CollectiveKind::kAllGatherBytes, total);
  return all;
}

std::unique_ptr<Communicator> CountingCommunicator::Split(int color, int key) {
  return std::make_unique<CountingCommunicator>(group_->Split(color, key), log_);
}

}  // namespace frond
