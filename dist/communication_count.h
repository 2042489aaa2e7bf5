// How much ranks say to each other: calls and bytes of every kind of collective, counted by the
// same code where they are made and where they are only planned (dist/plan_communicator.h).
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <utility>

#include "absl/strings/string_view.h"
#include "dist/communicator.h"

namespace frond {

enum class CollectiveKind : uint8_t {
  kAllReduce,
  kReduceScatter,
  kAllGather,
  kBroadcast,
  kAllGatherBytes,
};
inline constexpr int kNumCollectiveKinds = 5;
absl::string_view CollectiveKindName(CollectiveKind kind);

// Of one rank in one group. Bytes are those of the operand that is whole on a rank: what is reduced
// (also before it is scattered), what is gathered, what is broadcast.
struct CommunicationCount {
  struct Entry {
    int64_t calls = 0;
    int64_t bytes = 0;
    bool operator==(const Entry&) const = default;
  };
  std::array<Entry, kNumCollectiveKinds> by_kind;

  void Add(CollectiveKind kind, size_t bytes);
  const Entry& of(CollectiveKind kind) const { return by_kind[static_cast<size_t>(kind)]; }
  bool operator==(const CommunicationCount&) const = default;
};

// What was counted in `after` and not yet in `before`.
CommunicationCount Difference(const CommunicationCount& after, const CommunicationCount& before);

// Bytes that each of `ranks` ranks sends in these collectives by ring algorithms (Patarasuk and
// Yuan, "Bandwidth optimal all-reduce algorithms", 2009): (n-1)/n of the operand where it is
// scattered or gathered, twice that for an all-reduce, all of it for a broadcast.
double RingBytes(const CommunicationCount& count, int ranks);

// The counts of a rank's groups.
struct CommunicationLog {
  struct Group {
    int size = 0;
    CommunicationCount count;
  };
  std::list<Group> groups;  // in the order in which the rank joined them
};

// A group of which everything is counted, as are the groups split from it; otherwise it is the
// group that it wraps. Groups of one rank count nothing: they move nothing.
class CountingCommunicator : public Communicator {
 public:
  // `group` outlives the new one.
  CountingCommunicator(Communicator& group, std::shared_ptr<CommunicationLog> log);
  CountingCommunicator(std::unique_ptr<Communicator> group, std::shared_ptr<CommunicationLog> log);

  int rank() const override { return group_->rank(); }
  int size() const override { return group_->size(); }
  bool IsAsynchronous() const override { return group_->IsAsynchronous(); }
  CollectiveWatchdog& watchdog() override { return group_->watchdog(); }
  Pending AllReduce(Context& ctx, View inout, Reduce op) override;
  Pending ReduceScatter(Context& ctx, ConstView in, View out, Reduce op) override;
  Pending AllGather(Context& ctx, ConstView in, View out) override;
  Pending Broadcast(Context& ctx, View inout, int root) override;
  void Barrier() override { group_->Barrier(); }
  std::vector<std::string> AllGatherBytes(absl::string_view bytes) override;
  std::unique_ptr<Communicator> Split(int color, int key) override;

 private:
  void Count(CollectiveKind kind, size_t bytes);

  std::unique_ptr<Communicator> owned_;
  Communicator* group_;
  std::shared_ptr<CommunicationLog> log_;
  CommunicationCount* count_;  // in the log
};

}  // namespace frond
