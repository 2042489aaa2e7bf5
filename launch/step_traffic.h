// What a rank says to the others of its mesh for a step, counted where it is said.
#pragma once

#include <cstdint>
#include <memory>

#include "dist/communication_count.h"

namespace frond {

class StepTraffic {
 public:
  // `ranks` is the group of all ranks of the mesh, and outlives the object.
  explicit StepTraffic(Communicator& ranks)
      : log_(std::make_shared<CommunicationLog>()), ranks_(ranks, log_) {}

  // The same group, counted: the mesh is made of it, and its groups are counted too.
  Communicator& ranks() { return ranks_; }

  // While it lives, what is said counts towards the step. Scopes do not nest.
  class Scope {
   public:
    explicit Scope(StepTraffic& traffic) : traffic_(traffic), before_(*traffic.log_) {}
    ~Scope() { traffic_.CountSince(before_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    StepTraffic& traffic_;
    CommunicationLog before_;
  };

  // Bytes that this rank has sent in scopes since the last call, by ring algorithms (RingBytes).
  int64_t TakeBytes();

 private:
  void CountSince(const CommunicationLog& before);

  std::shared_ptr<CommunicationLog> log_;
  CountingCommunicator ranks_;
  CommunicationLog counted_;  // of scopes
};

}  // namespace frond
