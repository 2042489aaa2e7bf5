#include "core/tensor/cuda_device.h"

#include <cstring>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/tensor/block_arena.h"
#include "core/tensor/cuda/runtime.h"
#include "core/tensor/cuda/work_graphs.h"

namespace frond {
namespace {

// Pinned host memory through which small host arrays travel: a copy from pageable memory would wait
// for the stream. Two halves; a half is used again when the copies from it are done.
class Staging {
 public:
  static constexpr size_t kHalf = size_t{8} << 20;

  Staging() {
    FROND_CUDA_CHECK(cudaMallocHost(&memory_, 2 * kHalf));
    for (cudaEvent_t& event : left_) {
      FROND_CUDA_CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    }
  }
  ~Staging() {
    for (cudaEvent_t event : left_) FROND_CUDA_CHECK(cudaEventDestroy(event));
    FROND_CUDA_CHECK(cudaFreeHost(memory_));
  }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  // Makes the next `bytes` <= kHalf that are copied lie in one half.
  void MakeRoom(size_t bytes, cudaStream_t stream) {
    if (used_ + bytes <= kHalf) return;
    FROND_CUDA_CHECK(cudaEventRecord(left_[half_], stream));
    half_ = 1 - half_;
    used_ = 0;
    FROND_CUDA_CHECK(cudaEventSynchronize(left_[half_]));
  }
  bool HasRoom(size_t bytes) const { return used_ + bytes <= kHalf; }

  // `bytes` <= kHalf.
  void Copy(const void* source, size_t bytes, void* target, cudaStream_t stream) {
    MakeRoom(bytes, stream);
    char* staged = static_cast<char*>(memory_) + static_cast<size_t>(half_) * kHalf + used_;
    std::memcpy(staged, source, bytes);
    used_ += (bytes + 63) / 64 * 64;
    FROND_CUDA_CHECK(cudaMemcpyAsync(target, staged, bytes, cudaMemcpyHostToDevice, stream));
  }

 private:
  void* memory_ = nullptr;
  cudaEvent_t left_[2] = {};  // recorded behind the last copy from a half
  int half_ = 0;
  size_t used_ = 0;
};

// While it lives, this thread may make calls that a capture on another of its streams forbids.
class CaptureLeft {
 public:
  CaptureLeft() { FROND_CUDA_CHECK(cudaThreadExchangeStreamCaptureMode(&mode_)); }
  ~CaptureLeft() { FROND_CUDA_CHECK(cudaThreadExchangeStreamCaptureMode(&mode_)); }
  CaptureLeft(const CaptureLeft&) = delete;
  CaptureLeft& operator=(const CaptureLeft&) = delete;

 private:
  cudaStreamCaptureMode mode_ = cudaStreamCaptureModeRelaxed;
};

class CudaAllocator : public Allocator {
 public:
  // `device` is the calling thread's: members make events and memory for it.
  CudaAllocator(int device, const cuda::DeviceLimits& limits, const CudaAllocatorOptions& options)
      : device_(device), limits_(limits) {
    FROND_CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    if (options.graphs) {
      FROND_CUDA_CHECK(cudaStreamCreateWithFlags(&side_stream_, cudaStreamNonBlocking));
      graphs_ = std::make_unique<cuda::WorkGraphs>(stream_);
    }
    cudaMemPool_t pool = nullptr;
    FROND_CUDA_CHECK(cudaDeviceGetDefaultMemPool(&pool, device));
    // Freed blocks stay in the pool: a step asks for the same sizes again.
    uint64_t keep = UINT64_MAX;
    FROND_CUDA_CHECK(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep));
  }
  ~CudaAllocator() override {
    FROND_CUDA_CHECK(cudaStreamSynchronize(stream_));
    graphs_.reset();
    for (void* chunk : arena_.chunks()) FROND_CUDA_CHECK(cudaFreeAsync(chunk, stream_));
    FROND_CUDA_CHECK(cudaStreamDestroy(stream_));
    if (side_stream_ != nullptr) FROND_CUDA_CHECK(cudaStreamDestroy(side_stream_));
  }

  Device device() const override { return Device::kCuda; }
  cudaStream_t stream() const { return stream_; }
  const cuda::DeviceLimits& limits() const { return limits_; }

  void* Allocate(size_t bytes, MemoryKind kind) override {
    const size_t block = BlockBytes(Device::kCuda, bytes);
    const std::lock_guard<std::mutex> lock(mutex_);
    void* pointer = nullptr;
    if (capture_ != 0) {
      pointer = arena_.Take(block, [&](size_t chunk) { return TakeChunk(chunk, kind); });
      // From the free part of a chunk.
      counter_.Add(MemoryKind::kWorkspace, -static_cast<int64_t>(block));
    } else {
      pointer = TakeFromPool(block, kind, stream_);
    }
    live_[pointer] = {static_cast<int64_t>(block), kind};
    counter_.Add(kind, static_cast<int64_t>(block));
    return pointer;
  }

  void Free(void* pointer) override {
    if (pointer == nullptr) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = live_.find(pointer);
    CHECK(found != live_.end()) << "freed GPU memory that this allocator did not give";
    counter_.Add(found->second.second, -found->second.first);
    const int64_t block = found->second.first;
    live_.erase(found);
    if (arena_.Give(pointer)) return counter_.Add(MemoryKind::kWorkspace, block);
    // A graph frees nothing that was there before it.
    if (capture_ != 0) return freed_in_capture_.push_back(pointer);
    FROND_CUDA_CHECK(cudaFreeAsync(pointer, stream_));
  }

  MemoryReport Report() const override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return counter_.report();
  }
  void ResetPeak() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    counter_.ResetPeak();
  }

  void CopyToHost(const void* source, size_t bytes, void* target) override {
    if (bytes == 0) return;
    CHECK_EQ(capture_, 0) << "captured work has no values yet that the host could read";
    FROND_CUDA_CHECK(cudaMemcpyAsync(target, source, bytes, cudaMemcpyDeviceToHost, stream_));
    Synchronize();
  }
  void CopyFromHost(const void* source, size_t bytes, void* target) override {
    if (bytes == 0) return;
    // What a graph copies must stay until its launch has read it.
    CHECK(capture_ == 0 || staging_.HasRoom(bytes)) << "captured work sends too much: " << bytes;
    if (bytes <= Staging::kHalf) return staging_.Copy(source, bytes, target, stream_);
    // From pageable memory the call returns once the bytes are staged.
    FROND_CUDA_CHECK(cudaMemcpyAsync(target, source, bytes, cudaMemcpyHostToDevice, stream_));
  }
  void CopyWithin(const void* source, size_t bytes, void* target) override {
    if (bytes == 0 || source == target) return;
    FROND_CUDA_CHECK(cudaMemcpyAsync(target, source, bytes, cudaMemcpyDeviceToDevice, stream_));
  }
  void Synchronize() override {
    CHECK_EQ(capture_, 0) << "captured work has not begun, so nothing can wait for it";
    FROND_CUDA_CHECK(cudaStreamSynchronize(stream_));
  }

  void RunRepeated(const WorkKey& key, const std::function<void()>& work) override {
    if (graphs_ == nullptr || is_repeated_work_) return work();
    is_repeated_work_ = true;
    graphs_->HasRun(key) ? Capture(key, work) : work();
    is_repeated_work_ = false;
  }
  // 0, or the number of the capture that is going on.
  int64_t capture() const { return capture_; }
  bool is_in_repeated_work() const { return is_repeated_work_; }
  CudaGraphCounts graph_counts() const {
    return graphs_ == nullptr ? CudaGraphCounts{} : graphs_->counts();
  }

 private:
  void* TakeFromPool(size_t bytes, MemoryKind kind, cudaStream_t stream) {
    void* pointer = nullptr;
    const cudaError_t result = cudaMallocAsync(&pointer, bytes, stream);
    CHECK(result == cudaSuccess) << "GPU " << device_ << " is out of memory: " << bytes
                                 << " bytes for " << MemoryKindName(kind) << " beside "
                                 << counter_.report().total.live_bytes
                                 << " live bytes: " << cudaGetErrorString(result);
    return pointer;
  }

  // Memory for the arena, taken on another stream: of the capturing one it would become a part of
  // the graph.
  void* TakeChunk(size_t bytes, MemoryKind kind) {
    const CaptureLeft left;
    void* chunk = TakeFromPool(bytes, kind, side_stream_);
    FROND_CUDA_CHECK(cudaStreamSynchronize(side_stream_));
    counter_.Add(MemoryKind::kWorkspace, static_cast<int64_t>(bytes));
    return chunk;
  }

  void Capture(const WorkKey& key, const std::function<void()>& work) {
    staging_.MakeRoom(Staging::kHalf / 2, stream_);
    capture_ = ++num_captures_;
    graphs_->CaptureAndLaunch(key, [&] {
      work();
      capture_ = 0;
    });
    for (void* pointer : freed_in_capture_) FROND_CUDA_CHECK(cudaFreeAsync(pointer, stream_));
    freed_in_capture_.clear();
  }

  int device_;
  cuda::DeviceLimits limits_;
  cudaStream_t stream_ = nullptr;
  cudaStream_t side_stream_ = nullptr;        // with graphs only
  std::unique_ptr<cuda::WorkGraphs> graphs_;  // where repeated work is captured
  bool is_repeated_work_ = false;             // runs now
  int64_t capture_ = 0, num_captures_ = 0;
  BlockArena arena_;  // the tensors of captured work
  std::vector<void*> freed_in_capture_;
  Staging staging_;
  mutable std::mutex mutex_;
  std::unordered_map<void*, std::pair<int64_t, MemoryKind>> live_;
  MemoryCounter counter_;
};

CudaAllocator& AllocatorOf(Context& ctx) {
  CHECK(ctx.device() == Device::kCuda) << "a GPU op with a CPU context";
  return static_cast<CudaAllocator&>(ctx.memory());
}

}  // namespace

namespace cuda {

void CheckCall(cudaError_t result, const char* call) {
  if (result == cudaSuccess) return;
  int device = -1;
  (void)cudaGetDevice(&device);
  CHECK(false) << call << " on GPU " << device << ": " << cudaGetErrorName(result) << ", "
               << cudaGetErrorString(result);
}

cudaStream_t StreamOf(Context& ctx) { return AllocatorOf(ctx).stream(); }
const DeviceLimits& LimitsOf(Context& ctx) { return AllocatorOf(ctx).limits(); }
int64_t CaptureOf(Context& ctx) { return AllocatorOf(ctx).capture(); }
bool IsInRepeatedWork(Context& ctx) { return AllocatorOf(ctx).is_in_repeated_work(); }

}  // namespace cuda

int CudaDeviceCount(std::string* why) {
  int count = 0;
  const cudaError_t result = cudaGetDeviceCount(&count);
  if (result != cudaSuccess) {
    (void)cudaGetLastError();
    count = 0;
    if (why != nullptr) *why = cudaGetErrorString(result);
  } else if (count == 0 && why != nullptr) {
    *why = "no GPU was found";
  }
  return count;
}

absl::StatusOr<CudaDeviceInfo> ReadCudaDevice(int device) {
  std::string why;
  const int count = CudaDeviceCount(&why);
  if (device < 0 || device >= count) {
    return absl::FailedPreconditionError(
        count == 0 ? absl::StrCat("no GPU can be used: ", why)
                   : absl::StrCat("GPU ", device, " does not exist: there are ", count));
  }
  cudaDeviceProp properties;
  FROND_CUDA_CHECK(cudaGetDeviceProperties(&properties, device));
  char bus[64] = {};
  FROND_CUDA_CHECK(cudaDeviceGetPCIBusId(bus, static_cast<int>(sizeof(bus)), device));
  return CudaDeviceInfo{.name = properties.name,
                        .memory_bytes = static_cast<int64_t>(properties.totalGlobalMem),
                        .num_multiprocessors = properties.multiProcessorCount,
                        .compute_capability = properties.major * 10 + properties.minor,
                        .bus = bus};
}

CudaGraphCounts CountCudaGraphs(const Allocator& memory) {
  CHECK(memory.device() == Device::kCuda) << "no GPU's memory";
  return static_cast<const CudaAllocator&>(memory).graph_counts();
}

absl::StatusOr<std::unique_ptr<Allocator>> CreateCudaAllocator(
    int device, const CudaAllocatorOptions& options) {
  const absl::StatusOr<CudaDeviceInfo> info = ReadCudaDevice(device);
  if (!info.ok()) return info.status();
  if (info->compute_capability < 80) {
    return absl::FailedPreconditionError(
        absl::StrCat("GPU ", device, " (", info->name, ") has compute capability ",
                     info->compute_capability / 10, ".", info->compute_capability % 10,
                     "; 8.0 (A100) or newer is needed for bf16"));
  }
  FROND_CUDA_CHECK(cudaSetDevice(device));
  cuda::DeviceLimits limits{.num_multiprocessors = info->num_multiprocessors};
  FROND_CUDA_CHECK(cudaDeviceGetAttribute(&limits.shared_bytes_per_block,
                                          cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  return std::unique_ptr<Allocator>(std::make_unique<CudaAllocator>(device, limits, options));
}

}  // namespace frond
