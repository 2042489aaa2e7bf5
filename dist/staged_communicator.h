// A group whose ranks exchange host memory, made to serve tensors of a device too: they travel
// through pinned host memory in pieces. Slower than NCCL, but several ranks may share one GPU.
#pragma once

#include <memory>

#include "dist/communicator.h"
#include "dist/pinned_memory.h"

namespace frond {

// Operands of a CPU context go to `host` as they are. Waits for the device: a collective has ended
// when the call returns. Results are the host group's, bit for bit.
class StagedCommunicator : public Communicator {
 public:
  explicit StagedCommunicator(std::unique_ptr<Communicator> host);

  int rank() const override { return host_->rank(); }
  int size() const override { return host_->size(); }
  CollectiveWatchdog& watchdog() override { return host_->watchdog(); }
  Pending AllReduce(Context& ctx, View inout, Reduce op) override;
  Pending ReduceScatter(Context& ctx, ConstView in, View out, Reduce op) override;
  Pending AllGather(Context& ctx, ConstView in, View out) override;
  Pending Broadcast(Context& ctx, View inout, int root) override;
  void Barrier() override { host_->Barrier(); }
  std::vector<std::string> AllGatherBytes(absl::string_view bytes) override {
    return host_->AllGatherBytes(bytes);
  }
  std::unique_ptr<Communicator> Split(int color, int key) override;

 private:
  // Host memory for `elements`, the same at every call.
  View Staged(int64_t elements, DType dtype);

  std::unique_ptr<Communicator> host_;
  CpuAllocator host_memory_;
  Context host_ctx_;
  PinnedMemory staging_;
};

}  // namespace frond
