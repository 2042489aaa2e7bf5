// A group of one rank: every collective is a copy or nothing.
#pragma once

#include "dist/collective_watchdog.h"
#include "dist/communicator.h"

namespace frond {

class LocalCommunicator : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  CollectiveWatchdog& watchdog() override { return watchdog_; }
  Pending AllReduce(Context& ctx, View inout, Reduce op) override;
  Pending ReduceScatter(Context& ctx, ConstView in, View out, Reduce op) override;
  Pending AllGather(Context& ctx, ConstView in, View out) override;
  Pending Broadcast(Context& ctx, View inout, int root) override;
  void Barrier() override {}
  std::vector<std::string> AllGatherBytes(absl::string_view bytes) override;
  std::unique_ptr<Communicator> Split(int color, int key) override;

 private:
  CollectiveWatchdog watchdog_{
      CollectiveWatchdog::Options{}};  // sees nothing: no collective of one rank can wait
};

}  // namespace frond
