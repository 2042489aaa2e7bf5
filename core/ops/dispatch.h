// Chooses an op's implementation by the context's device.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include "core/base/build_config.h"
#include "core/tensor/context.h"

namespace frond {

// Calls the implementation for ctx.device(). The second one is left out of builds without CUDA. On
// Device::kMeta nothing is computed and zero is returned; `kMeta` is given where the backends take
// memory inside the op that a plan should know of, and takes as much.
template <auto kCpu, auto kCuda, auto kMeta = nullptr, class... Args>
decltype(auto) Dispatch(Context& ctx, Args&&... args) {
  if (ctx.device() == Device::kMeta) {
    if constexpr (std::is_null_pointer_v<decltype(kMeta)>) {
      using Result = std::invoke_result_t<decltype(kCpu), Context&, Args...>;
      return Result();
    } else {
      return kMeta(ctx, std::forward<Args>(args)...);
    }
  }
  if constexpr (kHaveCuda) {
    if (ctx.device() == Device::kCuda) return kCuda(ctx, std::forward<Args>(args)...);
  }
  return kCpu(ctx, std::forward<Args>(args)...);
}

}  // namespace frond
