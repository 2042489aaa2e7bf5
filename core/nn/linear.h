// Linear layers without bias: y = x W^T, W [out, in], as all of T5's are.
#pragma once

#include <vector>

#include "core/nn/grad_sink.h"
#include "core/nn/param.h"

namespace frond {

// The gradients with respect to input and weight are separate calls, so that a caller can place
// communication between them.
class Linear {
 public:
  // Declares `scope`.weight [out, in], filled from a normal of `init_stddev`. On a tensor axis
  // Split(0) is column-parallel: a rank gives its part of the outputs; Split(1) is row-parallel: a
  // rank takes its part of the inputs and gives a partial sum of every output.
  Linear(ParamStore& store, const Scope& scope, int64_t in, int64_t out, double init_stddev,
         Partition partition = Partition::Replicated());

  // Of this rank's part.
  int64_t in() const { return weight_->shape.dim(1); }
  int64_t out() const { return weight_->shape.dim(0); }

  // y (+)= x W^T. x [T, in], y [T, out], in the store's compute dtype (y may be f32).
  void Forward(Context& ctx, ConstView x, Write mode, View y) const;
  // y = x W^T + addend, which has y's shape and dtype and may be y.
  void ForwardAdd(Context& ctx, ConstView x, ConstView addend, View y) const;
  // dx (+)= dy W. dy [T, out], dx [T, in].
  void BackwardInput(Context& ctx, ConstView dy, Write mode, View dx) const;
  // Adds dy^T x to the weight's gradient and closes it.
  void BackwardWeight(Context& ctx, ConstView dy, ConstView x, GradSink& sink) const;

 private:
  Param* weight_;  // owned by the store
};

// Linear layers that share their input, computed by one product: their outputs lie side by side,
// [T, the sum of the outs]. Each keeps its own parameter, and the gradient of each is its own.
class JoinedLinear {
 public:
  struct Part {
    Scope scope;
    int64_t out;
    double init_stddev;
  };
  // Declares `scope`.weight [out, in] of each part, as Linear does; all split over outputs on a
  // tensor axis, or none.
  JoinedLinear(ParamStore& store, const std::vector<Part>& parts, int64_t in, Partition partition);

  // Of this rank's parts together.
  int64_t out() const { return ends_.back(); }
  // The columns of part `i` of outputs, or of gradients of them.
  Columns Of(size_t i, View y) const { return ColumnsOf(y, Begin(i), ends_[i]); }
  ConstColumns Of(size_t i, ConstView y) const { return ColumnsOf(y, Begin(i), ends_[i]); }

  // y = x W^T. x [T, in], y [T, out]. Where `low` is given, y = (x + low) W^T, by two products: x
  // is bf16, low what its rounding left off (core/ops/rms_norm.h), and y f32.
  void Forward(Context& ctx, ConstView x, View y, ConstView low = {}) const;
  // dx (+)= dy W, of all parts, rounded once. dy [T, out], dx [T, in] (dx may be f32).
  void BackwardInput(Context& ctx, ConstView dy, Write mode, View dx) const;
  // Adds dy^T x to each part's gradient and closes it, in the parts' order.
  void BackwardWeight(Context& ctx, ConstView dy, ConstView x, GradSink& sink) const;

 private:
  int64_t Begin(size_t i) const { return i == 0 ? 0 : ends_[i - 1]; }

  JoinedParams* weights_;  // owned by the store
  std::vector<int64_t> ends_;
};

}  // namespace frond
