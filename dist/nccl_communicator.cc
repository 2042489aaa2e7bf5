#include "dist/nccl_communicator.h"

#include <nccl.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/host_name.h"
#include "core/base/status_macros.h"
#include "core/tensor/cuda/runtime.h"
#include "core/tensor/cuda_device.h"
#include "dist/collective_watchdog.h"

namespace frond {
namespace {

// The stream that all groups of a rank share, and marks on it.
class CollectiveStream {
 public:
  // A mark is free again when nobody else holds it.
  class Mark {
   public:
    Mark() { FROND_CUDA_CHECK(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming)); }
    ~Mark() { FROND_CUDA_CHECK(cudaEventDestroy(event_)); }
    Mark(const Mark&) = delete;
    Mark& operator=(const Mark&) = delete;
    cudaEvent_t event() const { return event_; }

   private:
    cudaEvent_t event_ = nullptr;
  };

  CollectiveStream() {
    FROND_CUDA_CHECK(cudaGetDevice(&device_));
    FROND_CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  }
  ~CollectiveStream() { FROND_CUDA_CHECK(cudaStreamDestroy(stream_)); }
  CollectiveStream(const CollectiveStream&) = delete;
  CollectiveStream& operator=(const CollectiveStream&) = delete;

  int device() const { return device_; }
  cudaStream_t stream() const { return stream_; }
  void WaitFor(cudaStream_t other) {
    FROND_CUDA_CHECK(cudaEventRecord(ready_.event(), other));
    FROND_CUDA_CHECK(cudaStreamWaitEvent(stream_, ready_.event(), 0));
  }
  // A mark behind everything given to the stream so far.
  std::shared_ptr<Mark> Record() {
    const auto free = std::find_if(marks_.begin(), marks_.end(),
                                   [](const auto& mark) { return mark.use_count() == 1; });
    std::shared_ptr<Mark> mark = free == marks_.end() ? std::make_shared<Mark>() : *free;
    if (free == marks_.end()) marks_.push_back(mark);
    FROND_CUDA_CHECK(cudaEventRecord(mark->event(), stream_));
    return mark;
  }

 private:
  int device_ = 0;
  cudaStream_t stream_ = nullptr;
  Mark ready_;
  std::vector<std::shared_ptr<Mark>> marks_;
};

ncclDataType_t NcclTypeOf(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return ncclFloat32;
    case DType::kBF16:
      return ncclBfloat16;
    case DType::kF64:
      return ncclFloat64;
    case DType::kI32:
      return ncclInt32;
    case DType::kI16:
      break;  // NCCL has none
  }
  CHECK(false) << "no NCCL type for " << DTypeName(dtype);
  return ncclFloat32;
}

ncclRedOp_t NcclOpOf(Reduce op) { return op == Reduce::kSum ? ncclSum : ncclMax; }

size_t Count(ConstView x) { return static_cast<size_t>(x.num_elements()); }

// Returns at once; the start goes on by itself.
ncclConfig_t NonBlocking() {
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  config.splitShare = 1;
  return config;
}

class NcclCommunicator : public Communicator {
 public:
  // The group of `host`. `owned_host` is null or `host` itself.
  NcclCommunicator(Communicator& host, std::unique_ptr<Communicator> owned_host,
                   std::shared_ptr<CollectiveStream> stream, const NcclOptions& options)
      : owned_host_(std::move(owned_host)),
        host_(host),
        stream_(std::move(stream)),
        options_(options) {
    watchdog().CallAtEnd(this, [this] {
      if (comm_ != nullptr) ncclCommAbort(comm_);
    });
  }
  ~NcclCommunicator() override;

  // The ranks come together. Collective.
  void Start();

  int rank() const override { return host_.rank(); }
  int size() const override { return host_.size(); }
  bool IsAsynchronous() const override { return true; }
  CollectiveWatchdog& watchdog() override { return host_.watchdog(); }
  Pending AllReduce(Context& ctx, View inout, Reduce op) override;
  Pending ReduceScatter(Context& ctx, ConstView in, View out, Reduce op) override;
  Pending AllGather(Context& ctx, ConstView in, View out) override;
  Pending Broadcast(Context& ctx, View inout, int root) override;
  void Barrier() override { host_.Barrier(); }
  std::vector<std::string> AllGatherBytes(absl::string_view bytes) override {
    return host_.AllGatherBytes(bytes);
  }
  std::unique_ptr<Communicator> Split(int color, int key) override;

 private:
  CollectiveCall NextCall(CallKind kind, ConstView x, Reduce reduce = Reduce::kSum) {
    return {.kind = kind,
            .dtype = x.dtype,
            .reduce = reduce,
            .count = x.num_elements(),
            .step = watchdog().step(),
            .sequence = sequence_++};
  }
  // Gives `start`, which calls NCCL, to the stream behind the context's work.
  template <class StartCall>
  Pending Run(Context& ctx, const CollectiveCall& call, StartCall start);
  // Calls NCCL, which does not let two threads use one group: the watchdog's looks at it too.
  template <class Call>
  ncclResult_t Guarded(Call call) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return call();
  }
  // Returns once NCCL is done with what a call, which gave `result`, began on the host. `limit` in
  // seconds; 0: the watchdog's alone.
  void Complete(ncclResult_t result, const char* call, double limit);
  absl::StatusOr<bool> HasEnded(const CollectiveStream::Mark& mark) const;
  [[noreturn]] void Fail(const std::string& what);
  std::string ErrorText(ncclResult_t result) const;

  std::unique_ptr<Communicator> owned_host_;
  Communicator& host_;
  std::shared_ptr<CollectiveStream> stream_;
  NcclOptions options_;
  mutable std::mutex mutex_;  // of all calls with comm_ but the abort, which may not wait
  ncclComm_t comm_ = nullptr;
  uint64_t sequence_ = 0;
};

void NcclCommunicator::Start() {
  const CollectiveWatchdog::Scope scope(
      watchdog(), {.kind = CallKind::kStart, .step = watchdog().step()}, nullptr);
  ncclUniqueId id = {};
  if (rank() == 0) {
    const ncclResult_t result = ncclGetUniqueId(&id);
    if (result != ncclSuccess) Fail(absl::StrCat("ncclGetUniqueId: ", ErrorText(result)));
  }
  const std::string bytes(id.internal, sizeof(id.internal));
  const std::string first = host_.AllGatherBytes(rank() == 0 ? bytes : "")[0];
  CHECK_EQ(first.size(), sizeof(id.internal));
  std::memcpy(id.internal, first.data(), first.size());
  ncclConfig_t config = NonBlocking();
  const ncclResult_t result =
      Guarded([&] { return ncclCommInitRankConfig(&comm_, size(), id, rank(), &config); });
  Complete(result, "ncclCommInitRankConfig", options_.start_timeout_seconds);
}

NcclCommunicator::~NcclCommunicator() {
  {
    // What was started ends first, under the watchdog's eyes.
    const CollectiveWatchdog::Scope scope(
        watchdog(), {.kind = CallKind::kLeave, .step = watchdog().step()}, nullptr);
    FROND_CUDA_CHECK(cudaStreamSynchronize(stream_->stream()));
    Complete(Guarded([&] { return ncclCommFinalize(comm_); }), "ncclCommFinalize", 0);
  }
  watchdog().Forget(this);
  ncclCommDestroy(comm_);
}

std::string NcclCommunicator::ErrorText(ncclResult_t result) const {
  const char* last = comm_ != nullptr ? ncclGetLastError(comm_) : nullptr;
  return absl::StrCat(ncclGetErrorString(result),
                      last == nullptr || *last == 0 ? "" : absl::StrCat(" (", last, ")"));
}

void NcclCommunicator::Fail(const std::string& what) {
  watchdog().EndJob(absl::StrCat("NCCL on GPU ", stream_->device(), ": ", what));
  std::abort();
}

void NcclCommunicator::Complete(ncclResult_t result, const char* call, double limit) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  // NCCL may say "success" of what goes on (ncclCommSplit does): the group itself is asked.
  if (result == ncclSuccess) result = ncclInProgress;
  // Short at first: a collective's host side takes microseconds, a start seconds.
  for (std::chrono::microseconds pause(0); result == ncclInProgress;
       pause =
           std::min(2 * pause + std::chrono::microseconds(1), std::chrono::microseconds(2000))) {
    if (pause.count() > 0) std::this_thread::sleep_for(pause);
    const ncclResult_t asked = Guarded([&] { return ncclCommGetAsyncError(comm_, &result); });
    if (asked != ncclSuccess) result = asked;
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    if (result == ncclInProgress && limit > 0 && seconds > limit) {
      Fail(absl::StrCat(call, " has not ended after ", limit, " s: not all of ", size(),
                        " ranks came, or they do not reach each other"));
    }
  }
  if (result != ncclSuccess) Fail(absl::StrCat(call, ": ", ErrorText(result)));
}

// For the watchdog's thread.
absl::StatusOr<bool> NcclCommunicator::HasEnded(const CollectiveStream::Mark& mark) const {
  // A thread without a device would make itself at home on GPU 0.
  FROND_CUDA_CHECK(cudaSetDevice(stream_->device()));
  // Where the other thread is inside of NCCL, the next look will do.
  if (const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock); lock.owns_lock()) {
    ncclResult_t state = ncclSuccess;
    const ncclResult_t asked = ncclCommGetAsyncError(comm_, &state);
    const ncclResult_t result = asked != ncclSuccess ? asked : state;
    if (result != ncclSuccess && result != ncclInProgress) {
      return absl::UnavailableError(
          absl::StrCat("NCCL on GPU ", stream_->device(), ": ", ErrorText(result)));
    }
  }
  const cudaError_t ended = cudaEventQuery(mark.event());
  if (ended == cudaErrorNotReady) return false;
  if (ended != cudaSuccess) {
    return absl::InternalError(
        absl::StrCat("GPU ", stream_->device(), ": ", cudaGetErrorString(ended)));
  }
  return true;
}

template <class StartCall>
Pending NcclCommunicator::Run(Context& ctx, const CollectiveCall& call, StartCall start) {
  CHECK_EQ(cuda::CaptureOf(ctx), 0) << "captured work calls no collective";
  const cudaStream_t compute = cuda::StreamOf(ctx);
  stream_->WaitFor(compute);
  {
    // The first call connects the ranks and may wait for them on the host.
    const CollectiveWatchdog::Scope scope(watchdog(), call, nullptr);
    Complete(Guarded(start), Describe(call).c_str(), 0);
  }
  const std::shared_ptr<CollectiveStream::Mark> mark = stream_->Record();
  watchdog().WatchUntilDone(this, call, [this, mark] { return HasEnded(*mark); });
  return Pending(
      [mark, compute] { FROND_CUDA_CHECK(cudaStreamWaitEvent(compute, mark->event(), 0)); });
}

Pending NcclCommunicator::AllReduce(Context& ctx, View inout, Reduce op) {
  if (ctx.device() == Device::kCpu) return host_.AllReduce(ctx, inout, op);
  return Run(ctx, NextCall(CallKind::kAllReduce, inout, op), [&] {
    return ncclAllReduce(inout.data, inout.data, Count(inout), NcclTypeOf(inout.dtype),
                         NcclOpOf(op), comm_, stream_->stream());
  });
}

Pending NcclCommunicator::ReduceScatter(Context& ctx, ConstView in, View out, Reduce op) {
  if (ctx.device() == Device::kCpu) return host_.ReduceScatter(ctx, in, out, op);
  CHECK_EQ(in.num_elements(), out.num_elements() * size());
  CHECK(in.dtype == out.dtype);
  return Run(ctx, NextCall(CallKind::kReduceScatter, out, op), [&] {
    return ncclReduceScatter(in.data, out.data, Count(out), NcclTypeOf(in.dtype), NcclOpOf(op),
                             comm_, stream_->stream());
  });
}

Pending NcclCommunicator::AllGather(Context& ctx, ConstView in, View out) {
  if (ctx.device() == Device::kCpu) return host_.AllGather(ctx, in, out);
  CHECK_EQ(out.num_elements(), in.num_elements() * size());
  CHECK(in.dtype == out.dtype);
  return Run(ctx, NextCall(CallKind::kAllGather, in), [&] {
    return ncclAllGather(in.data, out.data, Count(in), NcclTypeOf(in.dtype), comm_,
                         stream_->stream());
  });
}

Pending NcclCommunicator::Broadcast(Context& ctx, View inout, int root) {
  if (ctx.device() == Device::kCpu) return host_.Broadcast(ctx, inout, root);
  CHECK(0 <= root && root < size()) << "root " << root << " of " << size() << " ranks";
  CollectiveCall call = NextCall(CallKind::kBroadcast, inout);
  call.root = root;
  return Run(ctx, call, [&] {
    return ncclBroadcast(inout.data, inout.data, Count(inout), NcclTypeOf(inout.dtype), root, comm_,
                         stream_->stream());
  });
}

std::unique_ptr<Communicator> NcclCommunicator::Split(int color, int key) {
  std::unique_ptr<Communicator> host = host_.Split(color, key);
  Communicator& members = *host;
  auto split = std::make_unique<NcclCommunicator>(members, std::move(host), stream_, options_);
  const CollectiveWatchdog::Scope scope(
      watchdog(), {.kind = CallKind::kSplit, .step = watchdog().step()}, nullptr);
  ncclConfig_t config = NonBlocking();
  const ncclResult_t result =
      Guarded([&] { return ncclCommSplit(comm_, color, key, &split->comm_, &config); });
  // The part exists once the whole is through with it.
  Complete(result, "ncclCommSplit", options_.start_timeout_seconds);
  split->Complete(ncclInProgress, "ncclCommSplit", options_.start_timeout_seconds);
  return split;
}

// Two ranks on one GPU, which NCCL refuses, as an error that every rank gets.
absl::Status CheckOneGpuEach(Communicator& host, int device) {
  const absl::StatusOr<CudaDeviceInfo> info = ReadCudaDevice(device);
  CHECK(info.ok()) << info.status();
  const std::vector<std::string> all =
      host.AllGatherBytes(absl::StrCat(info->bus, " of ", HostName()));
  for (size_t r = 0; r < all.size(); ++r) {
    const auto other = std::find(all.begin(), all.begin() + static_cast<int64_t>(r), all[r]);
    if (other == all.begin() + static_cast<int64_t>(r)) continue;
    return absl::FailedPreconditionError(absl::StrCat("ranks ", other - all.begin(), " and ", r,
                                                      " share GPU ", all[r],
                                                      "; NCCL needs a GPU for every rank"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Communicator>> CreateNcclCommunicator(Communicator& host,
                                                                     const NcclOptions& options) {
  auto stream = std::make_shared<CollectiveStream>();
  RETURN_IF_ERROR(CheckOneGpuEach(host, stream->device()));
  auto group = std::make_unique<NcclCommunicator>(host, nullptr, std::move(stream), options);
  group->Start();
  return group;
}

}  // namespace frond
