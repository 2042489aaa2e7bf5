// Inside the CUDA backend: the stream of a context and the check of every call.
#pragma once

#include <cuda_runtime.h>

#include "core/base/check.h"
#include "core/tensor/context.h"

namespace frond::cuda {

// A failed call ends the process with its name, the device and CUDA's message: after most errors
// the device's state is unknown.
void CheckCall(cudaError_t result, const char* call);

// The stream on which all work of the context runs. CHECKs that its device is a GPU.
cudaStream_t StreamOf(Context& ctx);

// Facts of the context's device that launches are planned with.
struct DeviceLimits {
  int num_multiprocessors = 0;
  int shared_bytes_per_block = 0;  // with the opt-in
};
const DeviceLimits& LimitsOf(Context& ctx);

// The capture of repeated work (core/tensor/repeated_work.h) that is going on: a number that no
// other capture of the context has, or 0 outside of captures.
int64_t CaptureOf(Context& ctx);
// Whether repeated work goes on, captured or not. Never without CUDA graphs.
bool IsInRepeatedWork(Context& ctx);

}  // namespace frond::cuda

#define FROND_CUDA_CHECK(call) ::frond::cuda::CheckCall((call), #call)
