// GradSink joins backward, data parallelism and the optimizer; layers know nothing of either.
#pragma once

#include "absl/status/status.h"
#include "core/nn/param.h"

namespace frond {

class GradSink {
 public:
  virtual ~GradSink() = default;
  // The buffer of `param`'s gradient, in the parameter's shape and the master's dtype, to
  // accumulate into. It is zero before the first contribution of a step and valid until Close.
  virtual View Open(Context& ctx, Param& param) = 0;
  // The last contribution of this backward pass to `param` is made.
  virtual void Close(Context& ctx, Param& param) = 0;
};

}  // namespace frond
