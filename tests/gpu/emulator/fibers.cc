#include "tests/gpu/emulator/fibers.h"

#include <boost/context/fiber.hpp>
#include <cstdlib>
#include <deque>
#include <utility>
#include <vector>

#include "core/base/check.h"
#include "cuda_runtime.h"

namespace frond::emulator {
namespace {

using boost::context::fiber;

// Stacks are kept: a grid needs a fiber per thread of each of its blocks.
class StackPool {
 public:
  static constexpr size_t kBytes = 96 * 1024;
  ~StackPool() {
    for (void* stack : free_) std::free(stack);
  }
  void* Take() {
    if (free_.empty()) return std::malloc(kBytes);
    void* stack = free_.back();
    free_.pop_back();
    return stack;
  }
  void Give(void* stack) { free_.push_back(stack); }

 private:
  std::vector<void*> free_;
};

struct PooledStack {
  StackPool* pool;
  boost::context::stack_context allocate() {
    boost::context::stack_context stack;
    stack.size = StackPool::kBytes;
    stack.sp = static_cast<char*>(pool->Take()) + stack.size;
    return stack;
  }
  void deallocate(boost::context::stack_context& stack) {
    pool->Give(static_cast<char*>(stack.sp) - stack.size);
  }
};

enum class State { kReady, kAtBlockBarrier, kAtWarpBarrier, kDone };

struct PendingCopy {
  void* target;
  const void* source;
  size_t bytes;
};

struct Thread {
  fiber context;
  std::deque<std::vector<PendingCopy>> copy_groups;  // committed
  std::vector<PendingCopy> open_copies;
  State state = State::kReady;
  dim3 index;
  int number = 0;
};

struct Warp {
  unsigned arrived = 0, alive = 0;
  alignas(16) unsigned char slots[32][32];
};

struct Block {
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  int arrived = 0, alive = 0;
  Thread* current = nullptr;
  fiber scheduler;
  std::vector<unsigned char> shared;
};

struct Worker {
  StackPool stacks;
  Block block;
};

Worker& ThisWorker() {
  thread_local Worker worker;
  return worker;
}
Block& ThisBlock() { return ThisWorker().block; }

void Yield() {
  Block& block = ThisBlock();
  block.scheduler = std::move(block.scheduler).resume();
}

Warp& ThisWarp() { return ThisBlock().warps[ThisBlock().current->number / 32]; }

void ReleaseBlockBarrier(Block& block) {
  if (block.alive == 0 || block.arrived < block.alive) return;
  block.arrived = 0;
  for (Thread& thread : block.threads) {
    if (thread.state == State::kAtBlockBarrier) thread.state = State::kReady;
  }
}

void End(Block& block, Thread& thread) {
  thread.state = State::kDone;
  --block.alive;
  block.warps[thread.number / 32].alive &= ~(1u << (thread.number % 32));
  ReleaseBlockBarrier(block);  // those that wait need not wait for a thread that has ended
}

void RunBlock(Worker& worker, const std::function<void()>& body) {
  Block& block = worker.block;
  // Blocks alternate between first-to-last and last-to-first: a missing barrier shows either way.
  const bool backwards = (blockIdx.x + blockIdx.y) % 2 == 1;
  const auto count = static_cast<int>(block.threads.size());
  for (Thread& thread : block.threads) {
    thread.state = State::kReady;
    thread.copy_groups.clear();
    thread.open_copies.clear();
    thread.context = fiber(std::allocator_arg, PooledStack{&worker.stacks},
                           [&block, &body, &thread](fiber&& scheduler) {
                             block.scheduler = std::move(scheduler);
                             body();
                             End(block, thread);
                             return std::move(block.scheduler);
                           });
  }
  while (block.alive > 0) {
    bool moved = false;
    for (int i = 0; i < count; ++i) {
      Thread& thread = block.threads[static_cast<size_t>(backwards ? count - 1 - i : i)];
      if (thread.state != State::kReady) continue;
      moved = true;
      block.current = &thread;
      threadIdx = thread.index;
      thread.context = std::move(thread.context).resume();
    }
    CHECK(moved || block.alive == 0)
        << "emulated block hangs: " << block.arrived << " of " << block.alive
        << " threads wait at __syncthreads, the others for lanes that never come";
  }
}

}  // namespace

void* DynamicSharedMemory() { return ThisBlock().shared.data(); }
int Lane() { return ThisBlock().current->number % 32; }
void* ExchangeSlot(int lane) { return ThisWarp().slots[lane & 31]; }

void BlockBarrier() {
  Block& block = ThisBlock();
  block.current->state = State::kAtBlockBarrier;
  ++block.arrived;
  ReleaseBlockBarrier(block);
  Yield();
}

void WarpBarrier(unsigned mask) {
  Block& block = ThisBlock();
  Warp& warp = ThisWarp();
  Thread& self = *block.current;
  CHECK((mask >> (self.number % 32)) & 1u) << "a lane outside its own mask " << mask;
  CHECK_EQ(mask & ~warp.alive, 0u) << "a warp operation waits for lanes that have ended";
  warp.arrived |= 1u << (self.number % 32);
  if ((warp.arrived & mask) == mask) {
    warp.arrived &= ~mask;
    const int first = self.number / 32 * 32;
    for (int lane = 0; lane < 32; ++lane) {
      if (((mask >> lane) & 1u) == 0) continue;
      Thread& other = block.threads[static_cast<size_t>(first + lane)];
      if (other.state == State::kAtWarpBarrier) other.state = State::kReady;
    }
    return;
  }
  self.state = State::kAtWarpBarrier;
  Yield();
}

unsigned Ballot(unsigned mask, bool predicate) {
  const unsigned own = predicate ? 1u : 0u;
  std::memcpy(ExchangeSlot(Lane()), &own, sizeof(own));
  WarpBarrier(mask);
  unsigned votes = 0;
  for (int lane = 0; lane < 32; ++lane) {
    if (((mask >> lane) & 1u) == 0) continue;
    unsigned vote = 0;
    std::memcpy(&vote, ExchangeSlot(lane), sizeof(vote));
    votes |= vote << lane;
  }
  WarpBarrier(mask);
  return votes;
}

void QueueCopy(void* target, const void* source, size_t bytes) {
  CHECK_EQ(reinterpret_cast<uintptr_t>(target) % bytes, 0u);
  CHECK_EQ(reinterpret_cast<uintptr_t>(source) % bytes, 0u);
  ThisBlock().current->open_copies.push_back({target, source, bytes});
}

void CommitCopies() {
  Thread& self = *ThisBlock().current;
  self.copy_groups.push_back(std::exchange(self.open_copies, {}));
}

void WaitForCopies(int pending_groups) {
  Thread& self = *ThisBlock().current;
  while (std::ssize(self.copy_groups) > pending_groups) {
    for (const PendingCopy& copy : self.copy_groups.front()) {
      if (copy.source == nullptr) {
        std::memset(copy.target, 0, copy.bytes);
      } else {
        std::memcpy(copy.target, copy.source, copy.bytes);
      }
    }
    self.copy_groups.pop_front();
  }
}

void RunGrid(dim3 grid, dim3 block_dim, size_t shared_bytes, const std::function<void()>& thread) {
  const int threads = static_cast<int>(block_dim.x * block_dim.y * block_dim.z);
  CHECK(threads > 0 && threads <= 1024) << threads << " threads a block";
  CHECK_LE(shared_bytes, size_t{227} << 10) << "dynamic shared memory";
  Worker& worker = ThisWorker();
  Block& block = worker.block;
  CHECK(block.current == nullptr) << "a kernel started inside a kernel";
  block.threads.resize(static_cast<size_t>(threads));
  for (int i = 0; i < threads; ++i) {
    const auto u = static_cast<unsigned>(i);
    block.threads[static_cast<size_t>(i)].number = i;
    block.threads[static_cast<size_t>(i)].index =
        dim3(u % block_dim.x, u / block_dim.x % block_dim.y, u / (block_dim.x * block_dim.y));
  }
  blockDim = block_dim;
  gridDim = grid;
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; ++x) {
        blockIdx = dim3(x, y, z);
        block.shared.assign(shared_bytes + 16, 0xFF);  // NaNs: nothing may rely on its contents
        block.warps.assign(static_cast<size_t>((threads + 31) / 32), Warp{});
        for (int i = 0; i < threads; ++i)
          block.warps[static_cast<size_t>(i / 32)].alive |= 1u << (i % 32);
        block.alive = threads;
        block.arrived = 0;
        RunBlock(worker, thread);
      }
    }
  }
  block.current = nullptr;
}

}  // namespace frond::emulator
