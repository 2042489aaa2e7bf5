// Emulator: the CUDA runtime over host memory. Device memory starts as NaN.
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "cuda_runtime.h"

using frond::emulator::Captures;
using frond::emulator::Enqueue;
using frond::emulator::UnseenByCaptures;
using frond::emulator::Work;

namespace {
using Clock = std::chrono::steady_clock;
}

struct FrondEmulatedEvent {
  Clock::time_point time;
};

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : cudaErrorInvalidValue; }
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {};
  std::snprintf(properties->name, sizeof(properties->name), "emulated GPU");
  properties->totalGlobalMem = size_t{8} << 30;
  properties->multiProcessorCount = 4;
  properties->major = 9;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  switch (attribute) {
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = 227 << 10;
      return cudaSuccess;
    case cudaDevAttrMultiProcessorCount:
      *value = 4;
      return cudaSuccess;
    default:
      *value = 0;
      return cudaErrorInvalidValue;
  }
}
cudaError_t cudaDeviceGetPCIBusId(char* text, int length, int) {
  std::snprintf(text, static_cast<size_t>(length), "0000:00:00.0");
  return cudaSuccess;
}
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int) {
  *pool = nullptr;
  return cudaSuccess;
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) { return cudaSuccess; }
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return Captures(stream) ? cudaErrorStreamCaptureUnsupported : UnseenByCaptures();
}
// Events would join other streams to a capture, which Frond's work never does.
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t, unsigned) {
  return Captures(stream) ? cudaErrorStreamCaptureUnsupported : cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() { return UnseenByCaptures(); }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new FrondEmulatedEvent;
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, 0); }
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  if (Captures(stream)) return cudaErrorStreamCaptureUnsupported;
  event->time = Clock::now();
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t) { return UnseenByCaptures(); }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  *milliseconds = std::chrono::duration<float, std::milli>(end->time - begin->time).count();
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t) { return UnseenByCaptures(); }
// While a stream captures, its memory would be a node of the graph: no longer one that takes over
// the arguments of another.
cudaError_t cudaMallocAsync(void** pointer, size_t bytes, cudaStream_t stream) {
  if (Captures(stream)) return cudaErrorStreamCaptureUnsupported;
  *pointer = std::aligned_alloc(512, (bytes + 511) / 512 * 512);
  if (*pointer == nullptr) return cudaErrorMemoryAllocation;
  std::memset(*pointer, 0xFF, bytes);
  return cudaSuccess;
}
cudaError_t cudaFreeAsync(void* pointer, cudaStream_t stream) {
  if (Captures(stream)) return cudaErrorStreamCaptureUnsupported;
  std::free(pointer);
  return cudaSuccess;
}
cudaError_t cudaMallocHost(void** pointer, size_t bytes) {
  if (UnseenByCaptures() != cudaSuccess) return UnseenByCaptures();
  return cudaMallocAsync(pointer, bytes, nullptr);
}
cudaError_t cudaFreeHost(void* pointer) {
  if (UnseenByCaptures() != cudaSuccess) return UnseenByCaptures();
  return cudaFreeAsync(pointer, nullptr);
}
cudaError_t cudaMemcpyAsync(void* target, const void* source, size_t bytes, cudaMemcpyKind,
                            cudaStream_t stream) {
  return Enqueue(stream, Work::kCopy, [=] { std::memcpy(target, source, bytes); });
}
cudaError_t cudaMemsetAsync(void* target, int value, size_t bytes, cudaStream_t stream) {
  return Enqueue(stream, Work::kFill, [=] { std::memset(target, value, bytes); });
}
cudaError_t cudaMemset2DAsync(void* target, size_t pitch, int value, size_t width, size_t height,
                              cudaStream_t stream) {
  return Enqueue(stream, Work::kFill, [=] {
    for (size_t row = 0; row < height; ++row) {
      std::memset(static_cast<char*>(target) + row * pitch, value, width);
    }
  });
}
cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
  *free_bytes = *total_bytes = size_t{8} << 30;
  return cudaSuccess;
}
cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute, int) { return cudaSuccess; }
cudaError_t cudaGetLastError() { return cudaSuccess; }
const char* cudaGetErrorName(cudaError_t) { return "emulated error"; }
const char* cudaGetErrorString(cudaError_t) { return "emulated error"; }
