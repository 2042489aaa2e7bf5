// A GradSink that keeps all gradients of a step: micro-batches add up, then the ranks' sums, then
// the norm is known before the first update.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "core/nn/grad_sink.h"
#include "dist/communicator.h"

namespace frond {

class KeepGrads : public GradSink {
 public:
  // Takes one buffer for the gradients of every parameter of the store, in declaration order and
  // the masters' dtype, and zeroes it.
  KeepGrads(Context& ctx, const ParamStore& store);

  // Zeroes all gradients. Call it before the first backward pass of a step.
  void StartStep(Context& ctx);

  View Open(Context& ctx, Param& param) override;
  void Close(Context& ctx, Param& param) override;

  // Sums the gradients over the ranks of `data` and returns their global L2 norm, in an order that
  // does not depend on the number of threads: the same bits on every rank. An element that is not
  // finite is an error that names the first such parameter, the same on every rank. Collective over
  // `data`.
  absl::StatusOr<double> Finish(Context& ctx, Communicator& data);

  // The gradient of `param`, in its shape.
  ConstView Grad(const Param& param) const;

 private:
  View GradView(const Param& param) const;

  const ParamStore* store_;
  std::vector<int64_t> offset_;  // in elements, by parameter index
  mutable Tensor buffer_;
};

}  // namespace frond
