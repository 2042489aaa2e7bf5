// A GradSink for masters that are sharded over the data ranks (ZeRO-2: Rajbhandari et al., 2020):
// each rank keeps the sums of the gradient rows it owns and nothing else.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "dist/gradient_buckets.h"
#include "dist/gradient_sums.h"
#include "dist/tensor_axis.h"

namespace frond {

class ShardedGrads : public GradSink {
 public:
  // Takes one buffer for the gradients of the rows this rank owns, in the masters' dtype. The
  // store's shards are the ranks of `data`. All outlive the sink.
  ShardedGrads(Context& ctx, const ParamStore& store, Communicator& data, const TensorAxis& tensor,
               int64_t bucket_elements = GradientBuckets::kBucketElements);

  // Zeroes all gradients. Call it before the first backward pass of a step.
  void StartStep(Context& ctx);

  // Around each backward pass; every rank of `data` makes as many. A pass's sums over the ranks go
  // on beside it. EndPass and Close are collective over `data`.
  void StartPass();
  View Open(Context& ctx, Param& param) override { return buckets_.Open(ctx, param); }
  void Close(Context& ctx, Param& param) override { buckets_.Close(ctx, param); }
  void EndPass(Context& ctx) { buckets_.EndPass(ctx); }

  // After the last pass: the global L2 norm of the gradients, the same bits on every rank. An
  // element that is not finite is an error that names the first such parameter, the same on every
  // rank. Collective over both axes.
  absl::StatusOr<double> Finish(Context& ctx);

  // The gradient of the rows of `param` that this rank owns.
  ConstView Grad(const Param& param) const { return GradView(param); }

 private:
  View GradView(const Param& param) const;

  const ParamStore* store_;
  GradientBuckets buckets_;
  GradientParts parts_;
  std::vector<int64_t> offset_;  // in elements, by parameter index
  mutable Tensor buffer_;
};

}  // namespace frond
