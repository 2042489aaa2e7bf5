// A GradSink that keeps all gradients of a step: micro-batches add up, then the ranks' sums, then
// the norm is known before the first update. The ranks' sums can start while the last backward pass
// goes on: backward completes parameters roughly from the last declared to the first, so buckets of
// neighbours are summed in that order, each as soon as it and those before it are complete.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "core/nn/grad_sink.h"
#include "dist/communicator.h"
#include "dist/tensor_axis.h"

namespace frond {

class KeepGrads : public GradSink {
 public:
  // Takes one buffer for the gradients of every parameter of the store, in declaration order and
  // the masters' dtype, and zeroes it. A bucket is full from `bucket_elements` on: small enough to
  // start early, large enough to use a link well.
  static constexpr int64_t kBucketElements = int64_t{1} << 23;
  KeepGrads(Context& ctx, const ParamStore& store, int64_t bucket_elements = kBucketElements);
  ~KeepGrads() override;

  // Zeroes all gradients. Call it before the first backward pass of a step.
  void StartStep(Context& ctx);

  // From here on Close starts the sums over the ranks of `data`, which outlives Finish: this rank's
  // last backward pass of the step begins. Ranks may differ in the passes they make, but all of
  // them say when their last one begins and when they have made it (EndPasses) or none does, with
  // no other collective in between.
  void StartLastPass(Communicator& data);
  // Starts what is left of the sums. Collective over `data`, as Close is from StartLastPass on.
  void EndPasses(Context& ctx);

  View Open(Context& ctx, Param& param) override;
  void Close(Context& ctx, Param& param) override;

  // Sums the gradients over the ranks of `data`, or waits for the sums that were started, and
  // returns their global L2 norm, in an order that does not depend on the number of threads: the
  // same bits on every rank. An element that is not finite is an error that names the first such
  // parameter, the same on every rank. Parameters may lie split over `tensor`. Collective over
  // both.
  absl::StatusOr<double> Finish(Context& ctx, Communicator& data, const TensorAxis& tensor = {});

  // The gradient of `param`, in its shape.
  ConstView Grad(const Param& param) const;

 private:
  // Neighbours in the buffer whose gradients are summed by one collective.
  struct Bucket {
    int64_t begin = 0;  // in elements
    int64_t end = 0;
    int num_params = 0;
  };
  // Sums under way in a step.
  struct EarlySums {
    Communicator* data;
    std::vector<int> open_params;  // by bucket
    size_t next;                   // buckets [next, all) are started, from the last to the first
    std::vector<Pending> started;
  };

  View GradView(const Param& param) const;
  void StartBucket(Context& ctx);
  void WaitForSums();

  const ParamStore* store_;
  std::vector<int64_t> offset_;    // in elements, by parameter index
  std::vector<size_t> bucket_of_;  // by parameter index
  std::vector<Bucket> buckets_;
  mutable Tensor buffer_;
  std::optional<EarlySums> early_;
};

}  // namespace frond
