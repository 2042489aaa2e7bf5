#include "dist/thread_communicator.h"

#include <omp.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "core/base/check.h"
#include "dist/reduce_kernels.h"

namespace frond {
namespace {

// What the ranks of one group share.
class ThreadGroup {
 public:
  // What a rank brings to a collective.
  struct Offer {
    absl::string_view call;
    const void* in = nullptr;
    void* out = nullptr;
    int64_t count = 0;
    DType dtype = DType::kF32;
    int argument = 0;  // reduction, root, or colour
    int key = 0;
    std::string bytes;
    std::shared_ptr<ThreadGroup> group;  // made by the first rank of a new group
  };

  explicit ThreadGroup(int size) : offers_(static_cast<size_t>(size)) {}

  int size() const { return static_cast<int>(offers_.size()); }
  const Offer& offer(int rank) const { return offers_[static_cast<size_t>(rank)]; }
  Offer& offer(int rank) { return offers_[static_cast<size_t>(rank)]; }

  void Barrier() {
    std::unique_lock<std::mutex> lock(mutex_);
    const uint64_t generation = generation_;
    if (++arrived_ == size()) {
      arrived_ = 0;
      ++generation_;
      changed_.notify_all();
      return;
    }
    changed_.wait(lock, [&] { return generation_ != generation; });
  }

  // Publishes this rank's offer and returns once all have. Ranks that disagree are our mistake.
  void Meet(int rank, Offer mine) {
    offer(rank) = std::move(mine);
    Barrier();
    const Offer& a = offer(0);
    const Offer& b = offer(rank);
    CHECK(a.call == b.call && a.count == b.count && a.dtype == b.dtype)
        << "rank 0 calls " << a.call << " of " << a.count << " " << DTypeName(a.dtype) << ", rank "
        << rank << " calls " << b.call << " of " << b.count << " " << DTypeName(b.dtype);
  }

 private:
  std::vector<Offer> offers_;
  std::mutex mutex_;
  std::condition_variable changed_;
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
  ThreadCommunicator(std::shared_ptr<ThreadGroup> group, int rank)
      : group_(std::move(group)), rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return group_->size(); }
  Pending AllReduce(Context& ctx, View inout, Reduce op) override;
  Pending ReduceScatter(Context& ctx, ConstView in, View out, Reduce op) override;
  Pending AllGather(Context& ctx, ConstView in, View out) override;
  Pending Broadcast(Context& ctx, View inout, int root) override;
  void Barrier() override { group_->Barrier(); }
  std::vector<std::string> AllGatherBytes(absl::string_view bytes) override;
  std::unique_ptr<Communicator> Split(int color, int key) override;

 private:
  // Element `first` of every rank's input, by rank.
  std::vector<const void*> Sources(int64_t first, DType dtype) const {
    std::vector<const void*> sources;
    for (int r = 0; r < size(); ++r) sources.push_back(Advance(group_->offer(r).in, first, dtype));
    return sources;
  }

  std::shared_ptr<ThreadGroup> group_;
  int rank_;
};

// Every rank folds its share of the elements and writes it to all ranks.
Pending ThreadCommunicator::AllReduce(Context&, View inout, Reduce op) {
  const int64_t n = inout.num_elements();
  group_->Meet(
      rank_,
      {.call = "AllReduce", .in = inout.data, .out = inout.data, .count = n, .dtype = inout.dtype});
  const int64_t begin = n * rank_ / size();
  const int64_t count = n * (rank_ + 1) / size() - begin;
  const std::vector<const void*> sources = Sources(begin, inout.dtype);
  char* mine = Advance(inout.data, begin, inout.dtype);
  FoldRanks(op, inout.dtype, sources, count, mine, /*parallel=*/false);
  const size_t bytes = static_cast<size_t>(count) * DTypeSize(inout.dtype);
  for (int r = 0; r < size() && bytes > 0; ++r) {
    if (r == rank_) continue;
    std::memcpy(Advance(group_->offer(r).out, begin, inout.dtype), mine, bytes);
  }
  group_->Barrier();
  return Done();
}

Pending ThreadCommunicator::ReduceScatter(Context&, ConstView in, View out, Reduce op) {
  const int64_t n = out.num_elements();
  CHECK_EQ(in.num_elements(), n * size());
  CHECK(in.dtype == out.dtype);
  group_->Meet(
      rank_,
      {.call = "ReduceScatter", .in = in.data, .out = out.data, .count = n, .dtype = in.dtype});
  FoldRanks(op, in.dtype, Sources(n * rank_, in.dtype), n, out.data, /*parallel=*/false);
  group_->Barrier();
  return Done();
}

Pending ThreadCommunicator::AllGather(Context&, ConstView in, View out) {
  const int64_t n = in.num_elements();
  CHECK_EQ(out.num_elements(), n * size());
  CHECK(in.dtype == out.dtype);
  group_->Meet(
      rank_, {.call = "AllGather", .in = in.data, .out = out.data, .count = n, .dtype = in.dtype});
  for (int r = 0; r < size() && n > 0; ++r) {
    char* target = Advance(out.data, n * r, out.dtype);
    if (target != group_->offer(r).in) std::memcpy(target, group_->offer(r).in, in.bytes());
  }
  group_->Barrier();
  return Done();
}

Pending ThreadCommunicator::Broadcast(Context&, View inout, int root) {
  CHECK(0 <= root && root < size()) << "root " << root << " of " << size() << " ranks";
  group_->Meet(rank_, {.call = "Broadcast",
                       .in = inout.data,
                       .count = inout.num_elements(),
                       .dtype = inout.dtype,
                       .argument = root});
  CHECK_EQ(group_->offer(0).argument, root);
  if (rank_ != root && inout.bytes() > 0) {
    std::memcpy(inout.data, group_->offer(root).in, inout.bytes());
  }
  group_->Barrier();
  return Done();
}

std::vector<std::string> ThreadCommunicator::AllGatherBytes(absl::string_view bytes) {
  group_->Meet(rank_, {.call = "AllGatherBytes", .bytes = std::string(bytes)});
  std::vector<std::string> all;
  for (int r = 0; r < size(); ++r) all.push_back(group_->offer(r).bytes);
  group_->Barrier();
  return all;
}

std::unique_ptr<Communicator> ThreadCommunicator::Split(int color, int key) {
  group_->Meet(rank_, {.call = "Split", .argument = color, .key = key});
  std::vector<std::pair<int, int>> members;  // (key, rank) of my colour
  for (int r = 0; r < size(); ++r) {
    const ThreadGroup::Offer& offer = group_->offer(r);
    if (offer.argument == color) members.emplace_back(offer.key, r);
  }
  std::sort(members.begin(), members.end());
  const int leader = members.front().second;
  if (rank_ == leader) {
    group_->offer(rank_).group = std::make_shared<ThreadGroup>(static_cast<int>(members.size()));
  }
  group_->Barrier();
  const auto mine = std::find(members.begin(), members.end(), std::make_pair(key, rank_));
  auto split = std::make_unique<ThreadCommunicator>(group_->offer(leader).group,
                                                    static_cast<int>(mine - members.begin()));
  group_->Barrier();
  return split;
}

}  // namespace

std::vector<std::unique_ptr<Communicator>> MakeThreadCommunicators(int n) {
  CHECK_GT(n, 0);
  const auto group = std::make_shared<ThreadGroup>(n);
  std::vector<std::unique_ptr<Communicator>> ranks;
  for (int r = 0; r < n; ++r) ranks.push_back(std::make_unique<ThreadCommunicator>(group, r));
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
