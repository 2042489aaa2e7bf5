// The time of a step that is rehearsed: predicted from what its ops compute and move, with
// collectives beside them or waited for as the code has it.
//
// The model behind it is the usual one of rates (Williams et al., "Roofline", 2009, applied op by
// op) and of rings for collectives (Patarasuk and Yuan, 2009).
#pragma once

#include <algorithm>

#include "configs/cluster.pb.h"
#include "core/tensor/dtype.h"
#include "core/tensor/profiler.h"
#include "dist/plan_communicator.h"

namespace frond {

// How a mesh lies on a cluster; ranks of one tensor group are neighbours.
struct MeshShape {
  int data = 1;
  int tensor = 1;
  int ranks() const { return data * tensor; }
};

// What the ranks of a group share.
struct GroupLinks {
  int ranks = 1;
  int nodes = 1;                // that they lie on
  double bytes_per_second = 0;  // of a ring, each way
  double node_latency = 0;      // seconds of a hop
  double network_latency = 0;   // likewise, to another node

  // Of a collective whose whole operand has so many bytes:
  //   scatter, gather  (n-1)/n bytes / rate + (n-N) node latencies + (N-1) network latencies
  //   all-reduce       twice that;  broadcast  bytes / rate + latencies
  double Seconds(CollectiveKind kind, double bytes) const;
};

struct StepRates {
  double products = 0;       // FLOP/s
  double attention = 0;      // FLOP/s
  double memory = 0;         // bytes/s
  double gaps = 0;           // of the time, between kernels
  double communicating = 0;  // of the time beside collectives
  GroupLinks world, data, tensor;
};

// What the cluster's GPUs and links give a rank of `mesh`, for products and attention in these
// dtypes. A group that spans nodes is as fast as its members' network ports of one node together,
// and no faster than the links inside a node.
StepRates RatesOf(const config::Cluster& cluster, DType products, DType attention,
                  const MeshShape& mesh);

// Seconds of the work in a profile, without communication.
double WorkSeconds(const Profiler& profiler, const StepRates& rates);

// One rank's clock, which work in `profiler` moves on. Collectives run one after the other beside
// the work; waiting for one moves the clock to its end.
class StepClock {
 public:
  // Both outlive the clock.
  StepClock(const Profiler& profiler, const StepRates& rates)
      : profiler_(&profiler), rates_(&rates) {}

  // What a group of ranks with these links, part of the rates, tells of its collectives.
  class Group : public PlannedTime {
   public:
    Group(StepClock& clock, const GroupLinks& links) : clock_(&clock), links_(&links) {}
    std::function<void()> Start(CollectiveKind kind, size_t bytes) override;

   private:
    StepClock* clock_;
    const GroupLinks* links_;
  };

  double work() const { return WorkSeconds(*profiler_, *rates_); }
  double communication() const { return communication_; }  // of all collectives
  double waited() const { return waited_; }                // of it, for which work stood still
  // The step: work, slower where collectives ran beside it, and what was waited.
  double Seconds() const {
    return work() + std::max(communication_ - waited_, 0.0) * rates_->communicating + waited_;
  }

 private:
  double Now() const { return work() + waited_; }

  const Profiler* profiler_;
  const StepRates* rates_;
  double communication_ = 0;
  double waited_ = 0;
  double links_free_ = 0;  // when the last collective ends
};

}  // namespace frond
