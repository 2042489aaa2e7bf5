// Ranks that are processes, by MPI (Open MPI's C interface).
//
// Reductions are our own: every rank receives its share of the elements from all others and folds
// them in rank order, so the bits depend neither on MPI's choice of algorithm nor on timing. An MPI
// failure names call and rank and ends the whole job.
#include <mpi.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <utility>

#include "core/base/check.h"
#include "dist/reduce_kernels.h"
#include "dist/world.h"

namespace frond {
namespace {

// Elements of a reduction on their way at once: bounds the scratch memory.
constexpr int64_t kReduceElements = int64_t{1} << 20;
// Reductions up to so many bytes from all ranks together go in one message each: latency rules.
constexpr int64_t kSmallBytes = int64_t{1} << 15;
// Bytes of one message: MPI counts are 32-bit.
constexpr int64_t kMessageBytes = int64_t{1} << 28;

enum Tag : int { kTagReduce = 1, kTagGather = 2, kTagBytes = 3 };

Pending Done() {
  return Pending([] {});
}

class MpiCommunicator : public Communicator {
 public:
  MpiCommunicator(MPI_Comm comm, bool is_world) : comm_(comm), is_world_(is_world) {
    Check(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    Check(MPI_Comm_rank(comm_, &rank_), "MPI_Comm_rank");
    Check(MPI_Comm_size(comm_, &size_), "MPI_Comm_size");
  }
  ~MpiCommunicator() override {
    if (is_world_) {
      MPI_Finalize();
    } else {
      MPI_Comm_free(&comm_);
    }
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  Pending AllReduce(Context& ctx, View inout, Reduce op) override;
  Pending ReduceScatter(Context& ctx, ConstView in, View out, Reduce op) override;
  Pending AllGather(Context& ctx, ConstView in, View out) override;
  Pending Broadcast(Context& ctx, View inout, int root) override;
  void Barrier() override { Check(MPI_Barrier(comm_), "MPI_Barrier"); }
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
    MpiCommunicator& group_;
    std::vector<MPI_Request> requests_;
  };

  void Check(int code, const char* call) const;
  void AllReduceSmall(Context& ctx, View inout, Reduce op);
  void AllReducePart(View inout, int64_t first, int64_t count, Reduce op, char* scratch);
  // The peers in an order that spreads the load: rank + 1, rank + 2, ...
  int Peer(int i) const { return (rank_ + 1 + i) % size_; }

  MPI_Comm comm_;
  bool is_world_;
  int rank_ = 0;
  int size_ = 1;
};

void MpiCommunicator::Check(int code, const char* call) const {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(code, text, &length);
  std::cerr << call << " failed on rank " << rank_ << " of " << size_ << ": " << text << std::endl;
  MPI_Abort(MPI_COMM_WORLD, 1);
  std::abort();
}

void MpiCommunicator::Messages::Send(const void* data, int64_t bytes, int peer, Tag tag) {
  for (int64_t at = 0; at < bytes; at += kMessageBytes) {
    const int part = static_cast<int>(std::min(kMessageBytes, bytes - at));
    requests_.emplace_back();
    group_.Check(MPI_Isend(static_cast<const char*>(data) + at, part, MPI_BYTE, peer, tag,
                           group_.comm_, &requests_.back()),
                 "MPI_Isend");
  }
}

void MpiCommunicator::Messages::Receive(void* data, int64_t bytes, int peer, Tag tag) {
  for (int64_t at = 0; at < bytes; at += kMessageBytes) {
    const int part = static_cast<int>(std::min(kMessageBytes, bytes - at));
    requests_.emplace_back();
    group_.Check(MPI_Irecv(static_cast<char*>(data) + at, part, MPI_BYTE, peer, tag, group_.comm_,
                           &requests_.back()),
                 "MPI_Irecv");
  }
}

void MpiCommunicator::Messages::Wait() {
  group_.Check(
      MPI_Waitall(static_cast<int>(requests_.size()), requests_.data(), MPI_STATUSES_IGNORE),
      "MPI_Waitall");
  requests_.clear();
}

// Everything to everyone; each folds all of it.
void MpiCommunicator::AllReduceSmall(Context& ctx, View inout, Reduce op) {
  const int bytes = static_cast<int>(inout.bytes());
  Tensor all(ctx, {size_, inout.num_elements()}, inout.dtype, MemoryKind::kWorkspace);
  char* base = static_cast<char*>(all.view().data);
  Check(MPI_Allgather(inout.data, bytes, MPI_BYTE, base, bytes, MPI_BYTE, comm_), "MPI_Allgather");
  std::vector<const void*> sources;
  for (int r = 0; r < size_; ++r) sources.push_back(base + int64_t{r} * bytes);
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
  const int64_t n = inout.num_elements();
  if (size_ == 1 || n == 0) return Done();
  if (static_cast<int64_t>(inout.bytes()) * size_ <= kSmallBytes) {
    AllReduceSmall(ctx, inout, op);
    return Done();
  }
  // Slices differ by one element at most.
  const int64_t slice = (std::min(n, kReduceElements) + size_ - 1) / size_;
  Tensor scratch(ctx, {slice * (size_ - 1)}, inout.dtype, MemoryKind::kWorkspace);
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
  const int64_t width = static_cast<int64_t>(DTypeSize(in.dtype));
  const int64_t step = std::min(n, kReduceElements);
  const char* base = static_cast<const char*>(in.data);
  Tensor scratch(ctx, {step * (size_ - 1)}, in.dtype, MemoryKind::kWorkspace);
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
  for (int64_t at = 0; at < bytes; at += kMessageBytes) {
    const int part = static_cast<int>(std::min(kMessageBytes, bytes - at));
    Check(MPI_Bcast(static_cast<char*>(inout.data) + at, part, MPI_BYTE, root, comm_), "MPI_Bcast");
  }
  return Done();
}

std::vector<std::string> MpiCommunicator::AllGatherBytes(absl::string_view bytes) {
  const int64_t mine = static_cast<int64_t>(bytes.size());
  std::vector<int64_t> sizes(static_cast<size_t>(size_));
  Check(MPI_Allgather(&mine, 1, MPI_INT64_T, sizes.data(), 1, MPI_INT64_T, comm_), "MPI_Allgather");
  std::vector<std::string> all(static_cast<size_t>(size_));
  Messages messages(*this);
  for (int i = 0; i + 1 < size_; ++i) {
    const size_t peer = static_cast<size_t>(Peer(i));
    all[peer].resize(static_cast<size_t>(sizes[peer]));
    messages.Receive(all[peer].data(), sizes[peer], Peer(i), kTagBytes);
  }
  for (int i = 0; i + 1 < size_; ++i) messages.Send(bytes.data(), mine, Peer(i), kTagBytes);
  all[static_cast<size_t>(rank_)] = std::string(bytes);
  messages.Wait();
  return all;
}

std::unique_ptr<Communicator> MpiCommunicator::Split(int color, int key) {
  CHECK_GE(color, 0);
  MPI_Comm split;
  Check(MPI_Comm_split(comm_, color, key, &split), "MPI_Comm_split");
  return std::make_unique<MpiCommunicator>(split, /*is_world=*/false);
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
  return std::unique_ptr<Communicator>(
      std::make_unique<MpiCommunicator>(MPI_COMM_WORLD, /*is_world=*/true));
}

void AbortWorld(int exit_code) {
  int initialized = 0, finalized = 0;
  MPI_Initialized(&initialized);
  MPI_Finalized(&finalized);
  if (initialized != 0 && finalized == 0) MPI_Abort(MPI_COMM_WORLD, exit_code);
  std::_Exit(exit_code);
}

}  // namespace frond
