// Chooses an op's implementation by the context's device.
#pragma once

#include <utility>

#include "core/base/build_config.h"
#include "core/tensor/context.h"

namespace frond {

// Calls the implementation for ctx.device(). The second one is left out of builds without CUDA.
template <auto kCpu, auto kCuda, class... Args>
decltype(auto) Dispatch(Context& ctx, Args&&... args) {
  if constexpr (kHaveCuda) {
    if (ctx.device() == Device::kCuda) return kCuda(ctx, std::forward<Args>(args)...);
  }
  return kCpu(ctx, std::forward<Args>(args)...);
}

}  // namespace frond
