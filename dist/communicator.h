// A group of ranks. Knows views and bytes only: no parameters, no optimizer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/tensor/tensor.h"

namespace frond {

class CollectiveWatchdog;  // dist/collective_watchdog.h

enum class Reduce : uint8_t { kSum, kMax };

// A collective that was started. Wait must be called before the operands are touched; a Pending
// destroyed without it is our mistake (CHECK).
class Pending {
 public:
  Pending() = default;  // nothing to wait for
  explicit Pending(std::function<void()> wait) : wait_(std::move(wait)) {}
  Pending(Pending&& other) noexcept : wait_(std::exchange(other.wait_, nullptr)) {}
  Pending& operator=(Pending&& other) noexcept;
  ~Pending();
  void Wait();

 private:
  std::function<void()> wait_;
};

// Every method that moves or agrees on something is collective over the group: all ranks call it in
// the same order with equal shapes. Ranks that do not, and ranks that die or do not come, end the
// job with a message (dist/collective_watchdog.h). The result of a reduction is the same bits on
// every rank and the same from run to run for a given size. Operands lie in the memory of `ctx`:
// a device's tensors go with its context, host values with one over a CpuAllocator
// (dist/sum_numbers.h).
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  // True where a started collective goes on by itself while host and device do other work, so that
  // starting it early gains.
  virtual bool IsAsynchronous() const { return false; }
  // What watches this rank's collectives in this group and all related by Split. Not collective.
  virtual CollectiveWatchdog& watchdog() = 0;

  // inout becomes the reduction over all ranks. f32, f64, bf16 (each sum is rounded) or i32.
  [[nodiscard]] virtual Pending AllReduce(Context& ctx, View inout, Reduce op) = 0;
  // in [size * n, ...] is reduced; rank r gets rows [r n, (r+1) n) in out [n, ...].
  [[nodiscard]] virtual Pending ReduceScatter(Context& ctx, ConstView in, View out, Reduce op) = 0;
  // out [size * n, ...]: rank r's in [n, ...] at rows [r n, (r+1) n).
  [[nodiscard]] virtual Pending AllGather(Context& ctx, ConstView in, View out) = 0;
  [[nodiscard]] virtual Pending Broadcast(Context& ctx, View inout, int root) = 0;
  virtual void Barrier() = 0;
  // Every rank's bytes, by rank: host-side facts, e.g. configs, signals and errors to agree on.
  virtual std::vector<std::string> AllGatherBytes(absl::string_view bytes) = 0;
  // The ranks that pass the same colour form a new group, ordered by key, then by rank.
  virtual std::unique_ptr<Communicator> Split(int color, int key) = 0;
};

}  // namespace frond
