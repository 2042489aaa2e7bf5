// GradSink joins backward, data parallelism and the optimizer; layers know nothing of either.
#pragma once

#include "core/nn/param.h"

namespace frond {

class GradSink {
 public:
  virtual ~GradSink() = default;
  // The buffer of `param`'s gradient, in the parameter's shape and the master's dtype, to
  // accumulate into. It is zero before the first contribution of a step and valid until Close.
  virtual View Open(Context& ctx, Param& param) = 0;
  // The last contribution of this backward pass to `param` is made, and the pass reads its value no
  // more: the sink may change it. A parameter that is closed without having been opened got no
  // contribution. Every pass closes every parameter once, in an order that depends on the model
  // alone, so that a sink may talk to other ranks here.
  virtual void Close(Context& ctx, Param& param) = 0;
};

// What layers see inside a part of a pass that reads its parameters until its end: their Close is
// held back, and whoever runs the part closes them behind it.
class HeldOpenSink : public GradSink {
 public:
  explicit HeldOpenSink(GradSink& sink) : sink_(&sink) {}
  View Open(Context& ctx, Param& param) override { return sink_->Open(ctx, param); }
  void Close(Context&, Param&) override {}

 private:
  GradSink* sink_;  // outlives this one
};

}  // namespace frond
