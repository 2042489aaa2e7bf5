// Chooses an op's implementation by the context's device.
#pragma once

#include <utility>

#include "core/tensor/context.h"

namespace frond {

// Calls the implementation for ctx.device(). A further backend is a further template argument here
// and in each op's .cc, nothing else.
template <auto kCpu, class... Args>
decltype(auto) Dispatch(Context& ctx, Args&&... args) {
  return kCpu(ctx, std::forward<Args>(args)...);
}

}  // namespace frond
