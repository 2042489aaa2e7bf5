// Weights that become whole again on every rank after each has updated the rows it owns: section by
// section, one ahead of the training pass that reads them, beside what the pass computes.
#pragma once

#include <deque>
#include <vector>

#include "core/nn/param.h"
#include "dist/communicator.h"

namespace frond {

// The gate of a store whose masters are shared out over ranks, or are not. Once ready, Param::value
// is what the ranks' masters are or round to, the same bits on every rank, and the forms for
// products are made from it. Masters must not change while weights are on their way.
class WeightShards : public WeightGate {
 public:
  // The store's shards are the ranks of `data`, or none. Both outlive the object.
  WeightShards(ParamStore& store, Communicator& data);
  ~WeightShards() override;

  // The masters have changed. No weight is ready until it was awaited, at the latest by the next
  // training pass; masters that are not shared out are made ready at once. CHECKs that all weights
  // were ready before. Not collective: nothing travels yet.
  void MarkChanged(Context& ctx);

  // Makes the weights of all sections up to `section` ready, and starts to gather those of the next
  // one. Small parameters of a section travel together. Every section is gathered once after each
  // MarkChanged, in order, whoever awaits what: collective over `data` as far as it is not done.
  void Await(Context& ctx, int section) override;

  // Makes all weights ready, for what awaits nothing: evaluation and whatever reads Param::value.
  // The owned rows of masters are always there, also for a checkpoint. Collective over `data`.
  void Complete(Context& ctx) { Await(ctx, store_->num_sections() - 1); }

 private:
  // Parameters that travel together, their shares one behind the other.
  struct Message {
    std::vector<Param*> params;
    Tensor own, all;  // without `all` what arrives lies in the parameter's value at once
    Pending gather;
  };
  using Flight = std::vector<Message>;  // of a section

  Flight Cut(int section) const;
  void Start(Context& ctx, int section);
  void Send(Context& ctx, Message& message);
  void Land(Context& ctx, int section);
  // Calls copy(rows of a parameter's value, their place in `shares`) for the shares of rank `r`.
  template <class Copy>
  void ForShares(const Message& message, View shares, int r, const Copy& copy) const;

  ParamStore* store_;
  Communicator* data_;
  // Sections [0, landed_) are ready, [landed_, started_) on their way.
  int started_, landed_;
  std::deque<Flight> flights_;
};

}  // namespace frond
