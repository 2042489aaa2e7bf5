// The small sums that a group of parameters needs over ranks, in one piece of memory: one
// collective an axis adds up all of them.
#pragma once

#include <array>
#include <vector>

#include "core/tensor/tensor.h"
#include "dist/communicator.h"

namespace frond {

class GroupSums {
 public:
  // The axes that numbers are added up over.
  struct Axes {
    bool tensor = false;
    bool data = false;
  };

  // Null: an axis of one rank. Both outlive the object.
  GroupSums(Communicator* tensor, Communicator* data) : tensor_(tensor), data_(data) {}

  // Takes `count` numbers and returns what At calls them. Over an axis, all its ranks take the
  // same counts in the same order.
  int Add(int64_t count, const Axes& axes);
  // After all calls of Add. The numbers are undefined.
  void Allocate(Context& ctx);
  View At(int sums);  // [count] f64
  // Every number becomes the sum over the ranks of its axes. Collective over each axis that some
  // number has.
  void SumOverRanks(Context& ctx);

 private:
  // Numbers with the same axes lie together, in an order that gives each axis one run of them.
  enum Region : size_t { kData, kBoth, kTensor, kNone, kRegions };
  struct Entry {
    Region region;
    int64_t first;  // in the region
    int64_t count;
  };

  int64_t Begin(size_t region) const;
  void SumOver(Context& ctx, Communicator* axis, Region first, Region last);

  Communicator* tensor_;
  Communicator* data_;
  std::vector<Entry> entries_;
  std::array<int64_t, kRegions> sizes_ = {};
  Tensor numbers_;
};

}  // namespace frond
