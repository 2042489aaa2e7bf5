// Ranks that are processes, by MPI (Open MPI's C interface).
//
// Reductions are our own: every rank receives its share of the elements from all others and folds
// them in rank order, so the bits depend neither on MPI's choice of algorithm nor on timing. Every
// collective begins with one small message from everyone to everyone that says what is called;
// small operands ride in it, larger ones move once all ranks are known to agree. An MPI failure
// names call and rank and ends the whole job.
#include <mpi.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/check.h"
#include "core/base/host_name.h"
#include "dist/collective_watchdog.h"
#include "dist/rank_board.h"
#include "dist/reduce_kernels.h"
#include "dist/reduction_scratch.h"
#include "dist/staged_communicator.h"
#include "dist/world.h"

namespace frond {
namespace {

// Bytes of one message: MPI counts are 32-bit.
constexpr int64_t kMessageBytes = int64_t{1} << 28;

enum Tag : int { kTagCall = 1, kTagReduce, kTagGather, kTagBytes };

Pending Done() {
  return Pending([] {});
}

absl::string_view Bytes(ConstView x) {
  return {static_cast<const char*>(x.data), static_cast<size_t>(x.bytes())};
}

// This process among all of the job; the last group that goes leaves it.
class MpiWorld {
 public:
  MpiWorld();
  ~MpiWorld();
  CollectiveWatchdog& watchdog() { return *watchdog_; }
  void PostLeft() { board_->PostLeft(); }

 private:
  MPI_Comm machine_ = MPI_COMM_NULL;  // the ranks that share memory with this one
  MPI_Win window_ = MPI_WIN_NULL;     // of the board
  std::unique_ptr<RankBoard> board_;
  std::unique_ptr<CollectiveWatchdog> watchdog_;
};

class MpiCommunicator : public Communicator {
 public:
  MpiCommunicator(MPI_Comm comm, std::shared_ptr<MpiWorld> world);
  ~MpiCommunicator() override;

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  CollectiveWatchdog& watchdog() override { return world_->watchdog(); }
  Pending AllReduce(Context& ctx, View inout, Reduce op) override;
  Pending ReduceScatter(Context& ctx, ConstView in, View out, Reduce op) override;
  Pending AllGather(Context& ctx, ConstView in, View out) override;
  Pending Broadcast(Context& ctx, View inout, int root) override;
  void Barrier() override { const Meeting meeting(*this, NextCall(CallKind::kBarrier)); }
  std::vector<std::string> AllGatherBytes(absl::string_view bytes) override;
  std::unique_ptr<Communicator> Split(int color, int key) override;

 private:
  // Messages under way, all of them waited for at once.
  class Messages {
   public:
    explicit Messages(MpiCommunicator& group) : group_(group) {}
    void Send(const void* data, int64_t bytes, int peer, Tag tag);
    void Receive(void* data, int64_t bytes, int peer, Tag tag);
    void Wait();

   private:
    MPI_Request* Add(int peer);

    MpiCommunicator& group_;
    std::vector<MPI_Request> requests_;
    std::vector<int> peers_;
  };

  // A collective, watched from the exchange of the calls to its end. Where the ranks disagree, the
  // constructor ends the job.
  class Meeting {
   public:
    // `payload`, at most RidingBytes(), rides with the call.
    Meeting(MpiCommunicator& group, const CollectiveCall& call, absl::string_view payload = {})
        : watch_(group.watchdog(), call, [&group] { return group.Awaited(); }) {
      group.Meet(call, payload);
    }

   private:
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

  int64_t RidingBytes() const { return frond::RidingBytes(size_); }
  void Meet(const CollectiveCall& call, absl::string_view payload);
  void CompareCalls();
  // What rank r called in the present collective, and what rode with it.
  CollectiveCall CallOf(int r) const;
  const char* PayloadOf(int r) const { return LetterOf(r) + sizeof(CollectiveCall); }
  // Call and payload of rank r.
  const char* LetterOf(int r) const { return letters_.data() + r * LetterBytes(); }
  char* LetterOf(int r) { return letters_.data() + r * LetterBytes(); }
  int64_t LetterBytes() const { return int64_t{sizeof(CollectiveCall)} + RidingBytes(); }
  // World ranks with messages under way. For the watchdog's thread.
  std::vector<int> Awaited() const;

  void Check(int code, const char* call) const;
  void AllReduceSmall(View inout, Reduce op);
  void AllReducePart(View inout, int64_t first, int64_t count, Reduce op, char* scratch);
  // The peers in an order that spreads the load: rank + 1, rank + 2, ...
  int Peer(int i) const { return (rank_ + 1 + i) % size_; }

  MPI_Comm comm_;
  std::shared_ptr<MpiWorld> world_;
  int rank_ = 0;
  int size_ = 1;
  std::vector<int> world_ranks_;  // of the members
  uint64_t sequence_ = 0;
  std::vector<char> letters_;
  std::vector<std::atomic<int>> under_way_;  // messages, by rank
};

[[noreturn]] void EndAfterMpiFailure(int code, const char* call) {
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0, rank = 0;
  MPI_Error_string(code, text, &length);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  std::cerr << call << " failed on rank " << rank << ": " << text << std::endl;
  MPI_Abort(MPI_COMM_WORLD, 1);
  std::abort();
}

void CheckMpi(int code, const char* call) {
  if (code != MPI_SUCCESS) EndAfterMpiFailure(code, call);
}

std::vector<int> WorldRanks(MPI_Comm comm) {
  int size = 0;
  CheckMpi(MPI_Comm_size(comm, &size), "MPI_Comm_size");
  std::vector<int> own(static_cast<size_t>(size)), world(own.size());
  std::iota(own.begin(), own.end(), 0);
  MPI_Group group, all;
  CheckMpi(MPI_Comm_group(comm, &group), "MPI_Comm_group");
  CheckMpi(MPI_Comm_group(MPI_COMM_WORLD, &all), "MPI_Comm_group");
  CheckMpi(MPI_Group_translate_ranks(group, size, own.data(), all, world.data()),
           "MPI_Group_translate_ranks");
  MPI_Group_free(&group);
  MPI_Group_free(&all);
  return world;
}

std::vector<std::string> HostsByRank(int size) {
  constexpr size_t kBytes = 64;
  std::array<char, kBytes> mine{};
  HostName().copy(mine.data(), kBytes - 1);
  std::vector<char> all(static_cast<size_t>(size) * kBytes);
  CheckMpi(
      MPI_Allgather(mine.data(), kBytes, MPI_CHAR, all.data(), kBytes, MPI_CHAR, MPI_COMM_WORLD),
      "MPI_Allgather");
  std::vector<std::string> hosts;
  for (int r = 0; r < size; ++r) hosts.emplace_back(all.data() + static_cast<size_t>(r) * kBytes);
  return hosts;
}

MpiWorld::MpiWorld() {
  CheckMpi(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  int rank = 0, size = 1, machine_rank = 0;
  CheckMpi(MPI_Comm_rank(MPI_COMM_WORLD, &rank), "MPI_Comm_rank");
  CheckMpi(MPI_Comm_size(MPI_COMM_WORLD, &size), "MPI_Comm_size");
  CheckMpi(
      MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &machine_),
      "MPI_Comm_split_type");
  CheckMpi(MPI_Comm_rank(machine_, &machine_rank), "MPI_Comm_rank");
  const std::vector<int> ranks = WorldRanks(machine_);
  // The machine's first rank gives the memory; 63 bytes more put the board on a cache line.
  const size_t bytes = RankBoard::BytesFor(static_cast<int>(ranks.size())) + 63;
  void* memory = nullptr;
  CheckMpi(MPI_Win_allocate_shared(machine_rank == 0 ? static_cast<MPI_Aint>(bytes) : 0, 1,
                                   MPI_INFO_NULL, machine_, &memory, &window_),
           "MPI_Win_allocate_shared");
  MPI_Aint true_bytes = 0;
  int unit = 0;
  CheckMpi(MPI_Win_shared_query(window_, 0, &true_bytes, &unit, &memory), "MPI_Win_shared_query");
  if (machine_rank == 0) std::memset(memory, 0, bytes);
  CheckMpi(MPI_Barrier(machine_), "MPI_Barrier");
  size_t room = bytes;
  // The memory begins on a page in every process, so all align alike.
  memory = std::align(64, bytes - 63, memory, room);
  board_ = std::make_unique<RankBoard>(memory, ranks, rank);
  board_->PostProcess();
  watchdog_ = std::make_unique<CollectiveWatchdog>(CollectiveWatchdog::Options{
      .rank = rank, .size = size, .hosts = HostsByRank(size), .board = board_.get()});
}

MpiWorld::~MpiWorld() {
  watchdog_.reset();
  board_.reset();
  MPI_Win_free(&window_);
  MPI_Comm_free(&machine_);
  MPI_Finalize();
}

MpiCommunicator::MpiCommunicator(MPI_Comm comm, std::shared_ptr<MpiWorld> world)
    : comm_(comm),
      world_(std::move(world)),
      world_ranks_(WorldRanks(comm)),
      under_way_(world_ranks_.size()) {
  Check(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  Check(MPI_Comm_rank(comm_, &rank_), "MPI_Comm_rank");
  size_ = static_cast<int>(world_ranks_.size());
  letters_.resize(static_cast<size_t>(size_ * LetterBytes()));
}

MpiCommunicator::~MpiCommunicator() {
  if (comm_ != MPI_COMM_WORLD) {
    MPI_Comm_free(&comm_);
    return;
  }
  const Meeting meeting(*this, NextCall(CallKind::kLeave));
  world_->PostLeft();
}

void MpiCommunicator::Check(int code, const char* call) const { CheckMpi(code, call); }

std::vector<int> MpiCommunicator::Awaited() const {
  std::vector<int> awaited;
  for (size_t r = 0; r < under_way_.size(); ++r) {
    if (under_way_[r].load(std::memory_order_relaxed) > 0) awaited.push_back(world_ranks_[r]);
  }
  return awaited;
}

CollectiveCall MpiCommunicator::CallOf(int r) const {
  std::array<char, sizeof(CollectiveCall)> bytes;
  std::copy_n(LetterOf(r), bytes.size(), bytes.begin());
  return std::bit_cast<CollectiveCall>(bytes);
}

void MpiCommunicator::Meet(const CollectiveCall& call, absl::string_view payload) {
  const auto bytes = std::bit_cast<std::array<char, sizeof(CollectiveCall)>>(call);
  CHECK_LE(static_cast<int64_t>(payload.size()), RidingBytes());
  char* mine = LetterOf(rank_);
  std::copy(bytes.begin(), bytes.end(), mine);
  std::copy(payload.begin(), payload.end(), mine + bytes.size());
  Messages messages(*this);
  for (int i = 0; i + 1 < size_; ++i) {
    messages.Receive(LetterOf(Peer(i)), LetterBytes(), Peer(i), kTagCall);
  }
  const auto length = static_cast<int64_t>(bytes.size() + payload.size());
  for (int i = 0; i + 1 < size_; ++i) messages.Send(mine, length, Peer(i), kTagCall);
  messages.Wait();
  CompareCalls();
}

void MpiCommunicator::CompareCalls() {
  const CollectiveCall mine = CallOf(rank_);
  bool agree = true;
  for (int r = 0; r < size_; ++r) agree &= Agree(mine, CallOf(r));
  if (agree) return;
  // Ranks that call the same share a line: "ranks 0, 2 call ...".
  std::vector<std::string> texts;
  std::vector<bool> named(static_cast<size_t>(size_));
  for (int r = 0; r < size_; ++r) {
    if (named[static_cast<size_t>(r)]) continue;
    const CollectiveCall call = CallOf(r);
    std::vector<int> same;
    for (int other = r; other < size_; ++other) {
      if (!Agree(call, CallOf(other))) continue;
      same.push_back(world_ranks_[static_cast<size_t>(other)]);
      named[static_cast<size_t>(other)] = true;
    }
    const std::string step = call.step < 0 ? "" : absl::StrCat(" in step ", call.step);
    texts.push_back(absl::StrCat(same.size() == 1 ? "rank " : "ranks ", absl::StrJoin(same, ", "),
                                 same.size() == 1 ? " calls " : " call ", Describe(call), step));
  }
  watchdog().EndJob(absl::StrCat("the ranks call different collectives (number ", mine.sequence,
                                 " of their group): ", absl::StrJoin(texts, ", ")));
}

MPI_Request* MpiCommunicator::Messages::Add(int peer) {
  requests_.emplace_back();
  peers_.push_back(peer);
  group_.under_way_[static_cast<size_t>(peer)].fetch_add(1, std::memory_order_relaxed);
  return &requests_.back();
}

void MpiCommunicator::Messages::Send(const void* data, int64_t bytes, int peer, Tag tag) {
  for (int64_t at = 0; at < bytes; at += kMessageBytes) {
    const int part = static_cast<int>(std::min(kMessageBytes, bytes - at));
    group_.Check(MPI_Isend(static_cast<const char*>(data) + at, part, MPI_BYTE, peer, tag,
                           group_.comm_, Add(peer)),
                 "MPI_Isend");
  }
}

void MpiCommunicator::Messages::Receive(void* data, int64_t bytes, int peer, Tag tag) {
  for (int64_t at = 0; at < bytes; at += kMessageBytes) {
    const int part = static_cast<int>(std::min(kMessageBytes, bytes - at));
    group_.Check(MPI_Irecv(static_cast<char*>(data) + at, part, MPI_BYTE, peer, tag, group_.comm_,
                           Add(peer)),
                 "MPI_Irecv");
  }
}

void MpiCommunicator::Messages::Wait() {
  const int n = static_cast<int>(requests_.size());
  std::vector<int> ended(requests_.size());
  // As MPI_Waitall does it, but whoever is waited for is known all the while.
  for (int left = n; left > 0;) {
    int count = 0;
    group_.Check(MPI_Testsome(n, requests_.data(), &count, ended.data(), MPI_STATUSES_IGNORE),
                 "MPI_Testsome");
    for (int i = 0; i < count; ++i) {
      const auto peer =
          static_cast<size_t>(peers_[static_cast<size_t>(ended[static_cast<size_t>(i)])]);
      group_.under_way_[peer].fetch_sub(1, std::memory_order_relaxed);
    }
    left -= count;
  }
  requests_.clear();
  peers_.clear();
}

// Everything went to everyone with the call; each folds all of it.
void MpiCommunicator::AllReduceSmall(View inout, Reduce op) {
  std::vector<const void*> sources;
  for (int r = 0; r < size_; ++r) sources.push_back(PayloadOf(r));
  FoldRanks(op, inout.dtype, sources, inout.num_elements(), inout.data, /*parallel=*/false);
}

// Elements [first, first + count): every rank folds one slice and gives it to the others.
void MpiCommunicator::AllReducePart(View inout, int64_t first, int64_t count, Reduce op,
                                    char* scratch) {
  const int64_t width = static_cast<int64_t>(DTypeSize(inout.dtype));
  char* part = static_cast<char*>(inout.data) + first * width;
  const auto begin = [&](int r) { return count * r / size_; };
  const auto bytes = [&](int r) { return (begin(r + 1) - begin(r)) * width; };
  const int64_t slice_bytes = bytes(rank_);
  Messages messages(*this);
  for (int i = 0; i + 1 < size_; ++i) {
    messages.Receive(scratch + i * slice_bytes, slice_bytes, Peer(i), kTagReduce);
  }
  for (int i = 0; i + 1 < size_; ++i) {
    messages.Send(part + begin(Peer(i)) * width, bytes(Peer(i)), Peer(i), kTagReduce);
  }
  messages.Wait();
  char* mine = part + begin(rank_) * width;
  std::vector<const void*> sources(static_cast<size_t>(size_));
  sources[static_cast<size_t>(rank_)] = mine;
  for (int i = 0; i + 1 < size_; ++i) {
    sources[static_cast<size_t>(Peer(i))] = scratch + i * slice_bytes;
  }
  FoldRanks(op, inout.dtype, sources, slice_bytes / width, mine, /*parallel=*/true);
  for (int i = 0; i + 1 < size_; ++i) {
    messages.Receive(part + begin(Peer(i)) * width, bytes(Peer(i)), Peer(i), kTagGather);
  }
  for (int i = 0; i + 1 < size_; ++i) messages.Send(mine, slice_bytes, Peer(i), kTagGather);
  messages.Wait();
}

Pending MpiCommunicator::AllReduce(Context& ctx, View inout, Reduce op) {
  if (size_ == 1) return Done();
  const int64_t n = inout.num_elements();
  const CollectiveCall call = NextCall(CallKind::kAllReduce, inout, op);
  if (static_cast<int64_t>(inout.bytes()) <= RidingBytes()) {
    const Meeting meeting(*this, call, Bytes(inout));
    AllReduceSmall(inout, op);
    return Done();
  }
  const Meeting meeting(*this, call);
  Tensor scratch = AllReduceScratch(ctx, inout, size_);
  for (int64_t first = 0; first < n; first += kReduceElements) {
    AllReducePart(inout, first, std::min(kReduceElements, n - first), op,
                  static_cast<char*>(scratch.view().data));
  }
  return Done();
}

Pending MpiCommunicator::ReduceScatter(Context& ctx, ConstView in, View out, Reduce op) {
  const int64_t n = out.num_elements();
  CHECK_EQ(in.num_elements(), n * size_);
  CHECK(in.dtype == out.dtype);
  const Meeting meeting(*this, NextCall(CallKind::kReduceScatter, out, op));
  const int64_t width = static_cast<int64_t>(DTypeSize(in.dtype));
  const int64_t step = std::min(n, kReduceElements);
  const char* base = static_cast<const char*>(in.data);
  Tensor scratch = ReduceScatterScratch(ctx, out, size_);
  char* received = static_cast<char*>(scratch.view().data);
  std::vector<const void*> sources(static_cast<size_t>(size_));
  for (int64_t first = 0; first < n; first += step) {
    const int64_t bytes = std::min(step, n - first) * width;
    Messages messages(*this);
    for (int i = 0; i + 1 < size_; ++i) {
      sources[static_cast<size_t>(Peer(i))] = received + i * bytes;
      messages.Receive(received + i * bytes, bytes, Peer(i), kTagReduce);
    }
    for (int i = 0; i + 1 < size_; ++i) {
      messages.Send(base + (n * Peer(i) + first) * width, bytes, Peer(i), kTagReduce);
    }
    messages.Wait();
    sources[static_cast<size_t>(rank_)] = base + (n * rank_ + first) * width;
    FoldRanks(op, in.dtype, sources, bytes / width, static_cast<char*>(out.data) + first * width,
              /*parallel=*/true);
  }
  return Done();
}

Pending MpiCommunicator::AllGather(Context&, ConstView in, View out) {
  CHECK_EQ(out.num_elements(), in.num_elements() * size_);
  CHECK(in.dtype == out.dtype);
  const int64_t bytes = static_cast<int64_t>(in.bytes());
  char* base = static_cast<char*>(out.data);
  const Meeting meeting(*this, NextCall(CallKind::kAllGather, in));
  Messages messages(*this);
  for (int i = 0; i + 1 < size_; ++i) {
    messages.Receive(base + Peer(i) * bytes, bytes, Peer(i), kTagGather);
  }
  for (int i = 0; i + 1 < size_; ++i) messages.Send(in.data, bytes, Peer(i), kTagGather);
  char* mine = base + rank_ * bytes;
  if (mine != in.data) std::copy_n(static_cast<const char*>(in.data), bytes, mine);
  messages.Wait();
  return Done();
}

Pending MpiCommunicator::Broadcast(Context&, View inout, int root) {
  CHECK(0 <= root && root < size_) << "root " << root << " of " << size_ << " ranks";
  const int64_t bytes = static_cast<int64_t>(inout.bytes());
  CollectiveCall call = NextCall(CallKind::kBroadcast, inout);
  call.root = root;
  const Meeting meeting(*this, call);
  for (int64_t at = 0; at < bytes; at += kMessageBytes) {
    const int part = static_cast<int>(std::min(kMessageBytes, bytes - at));
    Check(MPI_Bcast(static_cast<char*>(inout.data) + at, part, MPI_BYTE, root, comm_), "MPI_Bcast");
  }
  return Done();
}

std::vector<std::string> MpiCommunicator::AllGatherBytes(absl::string_view bytes) {
  const auto mine = static_cast<int64_t>(bytes.size());
  CollectiveCall call = NextCall(CallKind::kAllGatherBytes);
  call.count = mine;
  const bool rides = mine <= RidingBytes();
  const Meeting meeting(*this, call, rides ? bytes : absl::string_view());
  std::vector<std::string> all(static_cast<size_t>(size_));
  Messages messages(*this);
  for (int i = 0; i + 1 < size_; ++i) {
    std::string& theirs = all[static_cast<size_t>(Peer(i))];
    theirs.resize(static_cast<size_t>(CallOf(Peer(i)).count));
    if (static_cast<int64_t>(theirs.size()) <= RidingBytes()) {
      std::copy_n(PayloadOf(Peer(i)), theirs.size(), theirs.begin());
    } else {
      messages.Receive(theirs.data(), static_cast<int64_t>(theirs.size()), Peer(i), kTagBytes);
    }
  }
  for (int i = 0; i + 1 < size_ && !rides; ++i) {
    messages.Send(bytes.data(), mine, Peer(i), kTagBytes);
  }
  all[static_cast<size_t>(rank_)] = std::string(bytes);
  messages.Wait();
  return all;
}

std::unique_ptr<Communicator> MpiCommunicator::Split(int color, int key) {
  CHECK_GE(color, 0);
  const Meeting meeting(*this, NextCall(CallKind::kSplit));
  MPI_Comm split;
  Check(MPI_Comm_split(comm_, color, key, &split), "MPI_Comm_split");
  return std::make_unique<MpiCommunicator>(split, world_);
}

// MPI_Init_thread with signals held back, so that the threads that MPI starts never take one: which
// thread gets a signal is otherwise the kernel's choice, and what this thread blocks or handles
// later would not be asked.
int InitializeMpi(int& argc, char**& argv, int& provided) {
  sigset_t held, before;
  sigemptyset(&held);
  for (const int number : {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2}) sigaddset(&held, number);
  CHECK_EQ(pthread_sigmask(SIG_BLOCK, &held, &before), 0);
  const int result = MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  CHECK_EQ(pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
  return result;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Communicator>> CreateWorldCommunicator(int& argc, char**& argv) {
  int initialized = 0;
  MPI_Initialized(&initialized);
  if (initialized != 0) return absl::FailedPreconditionError("MPI is initialised already");
  int provided = MPI_THREAD_SINGLE;
  if (InitializeMpi(argc, argv, provided) != MPI_SUCCESS) {
    return absl::InternalError("MPI_Init_thread failed: launch with mpirun, or alone");
  }
  if (provided < MPI_THREAD_FUNNELED) {
    return absl::FailedPreconditionError("this MPI does not allow threads beside its own");
  }
  return std::unique_ptr<Communicator>(std::make_unique<StagedCommunicator>(
      std::make_unique<MpiCommunicator>(MPI_COMM_WORLD, std::make_shared<MpiWorld>())));
}

void AbortWorld(int exit_code) {
  int initialized = 0, finalized = 0;
  MPI_Initialized(&initialized);
  MPI_Finalized(&finalized);
  if (initialized != 0 && finalized == 0) MPI_Abort(MPI_COMM_WORLD, exit_code);
  std::_Exit(exit_code);
}

}  // namespace frond
