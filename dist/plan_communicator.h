// A group of which only one rank exists: what a rank of many would take of memory and say to the
// others is found out in one process, without them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dist/collective_watchdog.h"
#include "dist/communication_count.h"
#include "dist/communicator.h"

namespace frond {

// Keeps the time of a plan: when collectives would start and end beside the rank's other work.
class PlannedTime {
 public:
  virtual ~PlannedTime() = default;
  // A collective whose whole operand has so many bytes starts now; returns what waits for it.
  virtual std::function<void()> Start(CollectiveKind kind, size_t bytes) = 0;
};

// Collectives check their shapes and return at once; operands stay as they are, except that
// AllGatherBytes gives the own bytes for every rank. Goes with a context on Device::kMeta; numbers
// of the host are summed over this rank alone. Wrap it in a CountingCommunicator to see what is
// said.
class PlanCommunicator : public Communicator {
 public:
  struct Options {
    // Collectives are taken to go on beside other work, as NCCL's do.
    bool asynchronous = false;
    // Reductions take the scratch memory that MPI's group takes.
    bool with_scratch = false;
    // Told of every collective but those of host bytes; may be null, outlives the group.
    PlannedTime* time = nullptr;
  };
  PlanCommunicator(int rank, int size, const Options& options);

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  bool IsAsynchronous() const override { return options_.asynchronous && size_ > 1; }
  CollectiveWatchdog& watchdog() override { return watchdog_; }
  Pending AllReduce(Context& ctx, View inout, Reduce op) override;
  Pending ReduceScatter(Context& ctx, ConstView in, View out, Reduce op) override;
  Pending AllGather(Context& ctx, ConstView in, View out) override;
  Pending Broadcast(Context& ctx, View inout, int root) override;
  void Barrier() override {}
  std::vector<std::string> AllGatherBytes(absl::string_view bytes) override;
  // Who would be in the new group is known to the other ranks only, so this is our mistake (CHECK);
  // ProcessMesh::OfAxes takes groups that were made one by one.
  std::unique_ptr<Communicator> Split(int color, int key) override;

 private:
  Pending Started(CollectiveKind kind, size_t bytes) const;

  int rank_;
  int size_;
  Options options_;
  CollectiveWatchdog watchdog_{CollectiveWatchdog::Options{}};  // nobody is waited for
};

}  // namespace frond
