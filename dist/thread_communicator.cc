#include "dist/thread_communicator.h"

#include <omp.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstring>
#include <mutex>
#include <numeric>
#include <thread>
#include <utility>

#include "core/base/check.h"
#include "dist/collective_watchdog.h"
#include "dist/host_operand.h"
#include "dist/rank_board.h"
#include "dist/reduce_kernels.h"

namespace frond {
namespace {

class BoardMemory {
 public:
  explicit BoardMemory(int ranks) : lines_((RankBoard::BytesFor(ranks) + 63) / 64) {}
  void* data() { return lines_.data(); }

 private:
  struct alignas(64) Line {
    std::array<std::byte, 64> bytes{};
  };
  std::vector<Line> lines_;
};

// Where a rank stands in the world, for its watchdog: shared by all its groups.
class RankWatch {
 public:
  RankWatch(std::shared_ptr<BoardMemory> memory, const std::vector<int>& ranks, int self)
      : memory_(std::move(memory)),
        board_(memory_->data(), ranks, self),
        watchdog_({.rank = self, .size = static_cast<int>(ranks.size()), .board = &board_}) {}
  CollectiveWatchdog& watchdog() { return watchdog_; }

 private:
  std::shared_ptr<BoardMemory> memory_;
  RankBoard board_;
  CollectiveWatchdog watchdog_;
};

// What the ranks of one group share.
class ThreadGroup {
 public:
  // What a rank brings to a collective.
  struct Offer {
    CollectiveCall call;
    const void* in = nullptr;
    void* out = nullptr;
    int color = 0;
    int key = 0;
    std::string bytes;
    std::shared_ptr<ThreadGroup> group;  // made by the first rank of a new group
  };

  // `world_ranks`: of the members, in their order.
  explicit ThreadGroup(std::vector<int> world_ranks)
      : world_ranks_(std::move(world_ranks)),
        offers_(world_ranks_.size()),
        has_arrived_(world_ranks_.size()) {}

  int size() const { return static_cast<int>(offers_.size()); }
  int world_rank(int rank) const { return world_ranks_[static_cast<size_t>(rank)]; }
  const Offer& offer(int rank) const { return offers_[static_cast<size_t>(rank)]; }
  Offer& offer(int rank) { return offers_[static_cast<size_t>(rank)]; }

  void Barrier(int rank) {
    std::unique_lock<std::mutex> lock(mutex_);
    const uint64_t generation = generation_;
    has_arrived_[static_cast<size_t>(rank)] = true;
    if (++arrived_ == size()) {
      arrived_ = 0;
      has_arrived_.assign(has_arrived_.size(), false);
      ++generation_;
      changed_.notify_all();
      return;
    }
    changed_.wait(lock, [&] { return generation_ != generation; });
  }

  // World ranks that have not come to the present barrier.
  std::vector<int> Awaited() {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<int> awaited;
    for (size_t r = 0; r < has_arrived_.size(); ++r) {
      if (!has_arrived_[r]) awaited.push_back(world_ranks_[r]);
    }
    return awaited;
  }

  // Publishes this rank's offer and returns once all have. Ranks that disagree are our mistake.
  void Meet(int rank, Offer mine) {
    offer(rank) = std::move(mine);
    Barrier(rank);
    const CollectiveCall& a = offer(0).call;
    const CollectiveCall& b = offer(rank).call;
    CHECK(Agree(a, b)) << "the ranks call different collectives: rank " << world_rank(0)
                       << " calls " << Describe(a) << ", rank " << world_rank(rank) << " calls "
                       << Describe(b);
  }

 private:
  std::vector<int> world_ranks_;
  std::vector<Offer> offers_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<bool> has_arrived_;
  int arrived_ = 0;
  uint64_t generation_ = 0;
};

Pending Done() {
  return Pending([] {});
}

const char* Advance(const void* data, int64_t elements, DType dtype) {
  return static_cast<const char*>(data) + elements * static_cast<int64_t>(DTypeSize(dtype));
}
char* Advance(void* data, int64_t elements, DType dtype) {
  return static_cast<char*>(data) + elements * static_cast<int64_t>(DTypeSize(dtype));
}

class ThreadCommunicator : public Communicator {
 public:
  ThreadCommunicator(std::shared_ptr<ThreadGroup> group, int rank, std::shared_ptr<RankWatch> watch)
      : group_(std::move(group)), rank_(rank), watch_(std::move(watch)) {}

  int rank() const override { return rank_; }
  int size() const override { return group_->size(); }
  CollectiveWatchdog& watchdog() override { return watch_->watchdog(); }
  Pending AllReduce(Context& ctx, View inout, Reduce op) override;
  Pending ReduceScatter(Context& ctx, ConstView in, View out, Reduce op) override;
  Pending AllGather(Context& ctx, ConstView in, View out) override;
  Pending Broadcast(Context& ctx, View inout, int root) override;
  void Barrier() override;
  std::vector<std::string> AllGatherBytes(absl::string_view bytes) override;
  std::unique_ptr<Communicator> Split(int color, int key) override;

 private:
  // A collective from the meeting of the ranks until all are through.
  class Meeting {
   public:
    Meeting(ThreadCommunicator& self, ThreadGroup::Offer offer)
        : self_(self), watch_(self.watchdog(), offer.call, [group = self.group_.get()] {
            return group->Awaited();
          }) {
      self_.group_->Meet(self_.rank_, std::move(offer));
    }
    ~Meeting() { self_.group_->Barrier(self_.rank_); }

   private:
    ThreadCommunicator& self_;
    CollectiveWatchdog::Scope watch_;
  };

  CollectiveCall NextCall(CallKind kind) {
    return {.kind = kind, .step = watchdog().step(), .sequence = sequence_++};
  }
  CollectiveCall NextCall(CallKind kind, ConstView x, Reduce reduce = Reduce::kSum) {
    CollectiveCall call = NextCall(kind);
    call.dtype = x.dtype;
    call.count = x.num_elements();
    call.reduce = reduce;
    return call;
  }
  // Element `first` of every rank's input, by rank.
  std::vector<const void*> Sources(int64_t first, DType dtype) const {
    std::vector<const void*> sources;
    for (int r = 0; r < size(); ++r) sources.push_back(Advance(group_->offer(r).in, first, dtype));
    return sources;
  }

  std::shared_ptr<ThreadGroup> group_;
  int rank_;
  std::shared_ptr<RankWatch> watch_;
  uint64_t sequence_ = 0;
};

// Every rank folds its share of the elements and writes it to all ranks.
Pending ThreadCommunicator::AllReduce(Context& ctx, View inout, Reduce op) {
  const int64_t n = inout.num_elements();
  const HostOperand host(ctx, inout, /*is_read=*/true);
  const Meeting meeting(
      *this,
      {.call = NextCall(CallKind::kAllReduce, inout, op), .in = host.data(), .out = host.data()});
  const int64_t begin = n * rank_ / size();
  const int64_t count = n * (rank_ + 1) / size() - begin;
  const std::vector<const void*> sources = Sources(begin, inout.dtype);
  char* mine = Advance(host.data(), begin, inout.dtype);
  FoldRanks(op, inout.dtype, sources, count, mine, /*parallel=*/false);
  const size_t bytes = static_cast<size_t>(count) * DTypeSize(inout.dtype);
  for (int r = 0; r < size() && bytes > 0; ++r) {
    if (r == rank_) continue;
    std::memcpy(Advance(group_->offer(r).out, begin, inout.dtype), mine, bytes);
  }
  return Done();
}

Pending ThreadCommunicator::ReduceScatter(Context& ctx, ConstView in, View out, Reduce op) {
  const int64_t n = out.num_elements();
  CHECK_EQ(in.num_elements(), n * size());
  CHECK(in.dtype == out.dtype);
  const HostOperand from(ctx, in), to(ctx, out, /*is_read=*/false);
  const Meeting meeting(
      *this,
      {.call = NextCall(CallKind::kReduceScatter, out, op), .in = from.data(), .out = to.data()});
  FoldRanks(op, in.dtype, Sources(n * rank_, in.dtype), n, to.data(), /*parallel=*/false);
  return Done();
}

Pending ThreadCommunicator::AllGather(Context& ctx, ConstView in, View out) {
  const int64_t n = in.num_elements();
  CHECK_EQ(out.num_elements(), n * size());
  CHECK(in.dtype == out.dtype);
  const HostOperand from(ctx, in), to(ctx, out, /*is_read=*/false);
  const Meeting meeting(
      *this, {.call = NextCall(CallKind::kAllGather, in), .in = from.data(), .out = to.data()});
  for (int r = 0; r < size() && n > 0; ++r) {
    char* target = Advance(to.data(), n * r, out.dtype);
    if (target != group_->offer(r).in) std::memcpy(target, group_->offer(r).in, in.bytes());
  }
  return Done();
}

Pending ThreadCommunicator::Broadcast(Context& ctx, View inout, int root) {
  CHECK(0 <= root && root < size()) << "root " << root << " of " << size() << " ranks";
  CollectiveCall call = NextCall(CallKind::kBroadcast, inout);
  call.root = root;
  const HostOperand host(ctx, inout, /*is_read=*/true);
  const Meeting meeting(*this, {.call = call, .in = host.data()});
  if (rank_ != root && inout.bytes() > 0) {
    std::memcpy(host.data(), group_->offer(root).in, inout.bytes());
  }
  return Done();
}

void ThreadCommunicator::Barrier() {
  const Meeting meeting(*this, {.call = NextCall(CallKind::kBarrier)});
}

std::vector<std::string> ThreadCommunicator::AllGatherBytes(absl::string_view bytes) {
  CollectiveCall call = NextCall(CallKind::kAllGatherBytes);
  call.count = static_cast<int64_t>(bytes.size());
  const Meeting meeting(*this, {.call = call, .bytes = std::string(bytes)});
  std::vector<std::string> all;
  for (int r = 0; r < size(); ++r) all.push_back(group_->offer(r).bytes);
  return all;
}

std::unique_ptr<Communicator> ThreadCommunicator::Split(int color, int key) {
  const Meeting meeting(*this, {.call = NextCall(CallKind::kSplit), .color = color, .key = key});
  std::vector<std::pair<int, int>> members;  // (key, rank) of my colour
  for (int r = 0; r < size(); ++r) {
    const ThreadGroup::Offer& offer = group_->offer(r);
    if (offer.color == color) members.emplace_back(offer.key, r);
  }
  std::sort(members.begin(), members.end());
  const int leader = members.front().second;
  if (rank_ == leader) {
    std::vector<int> world_ranks;
    for (const auto& [_, r] : members) world_ranks.push_back(group_->world_rank(r));
    group_->offer(rank_).group = std::make_shared<ThreadGroup>(std::move(world_ranks));
  }
  group_->Barrier(rank_);
  const auto mine = std::find(members.begin(), members.end(), std::make_pair(key, rank_));
  return std::make_unique<ThreadCommunicator>(group_->offer(leader).group,
                                              static_cast<int>(mine - members.begin()), watch_);
}

}  // namespace

std::vector<std::unique_ptr<Communicator>> MakeThreadCommunicators(int n) {
  CHECK_GT(n, 0);
  std::vector<int> world_ranks(static_cast<size_t>(n));
  std::iota(world_ranks.begin(), world_ranks.end(), 0);
  const auto group = std::make_shared<ThreadGroup>(world_ranks);
  const auto board_memory = std::make_shared<BoardMemory>(n);
  std::vector<std::unique_ptr<Communicator>> ranks;
  for (int r = 0; r < n; ++r) {
    ranks.push_back(std::make_unique<ThreadCommunicator>(
        group, r, std::make_shared<RankWatch>(board_memory, world_ranks, r)));
  }
  return ranks;
}

void RunThreadRanks(int n, const std::function<void(Communicator&)>& function) {
  const std::vector<std::unique_ptr<Communicator>> ranks = MakeThreadCommunicators(n);
  const int share = std::max(omp_get_max_threads() / n, 1);
  std::vector<std::thread> threads;
  for (const auto& rank : ranks) {
    threads.emplace_back([&function, &rank, share] {
      omp_set_num_threads(share);  // of this thread alone
      function(*rank);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace frond
