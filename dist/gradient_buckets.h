// A GradSink that adds gradients up over the data ranks a bucket at a time, beside the rest of the
// backward pass, and hands them on as soon as they are complete.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "core/nn/grad_sink.h"
#include "core/nn/param.h"
#include "dist/communicator.h"

namespace frond {

// Matrices that are neighbours in declaration order share a bucket, so that small ones travel
// together; all vectors are in one of their own, which is complete at the end of the pass. Where
// masters are sharded over the data ranks, each rank gets the sums of the rows it owns
// (reduce-scatter), else of all (all-reduce). Gradients of a bucket live from its first
// contribution to the return of `take`.
class GradientBuckets : public GradSink {
 public:
  // The sum over the data ranks of the gradient of the owned rows of a parameter, in the masters'
  // dtype. A view of none where the rank owns none.
  struct Complete {
    Param* param;
    View gradient;
  };
  using Take = std::function<void(Context&, std::span<const Complete>)>;

  // A bucket is full from `bucket_elements` on: small enough to start early, large enough to use a
  // link well. Both references outlive the sink; the store's shards are the ranks of `data` or
  // none.
  static constexpr int64_t kBucketElements = int64_t{1} << 23;
  GradientBuckets(const ParamStore& store, Communicator& data,
                  int64_t bucket_elements = kBucketElements);
  ~GradientBuckets() override;

  // A backward pass begins, on every rank of `data`, also where it has no examples. `take` gets
  // every parameter once, in the same order on every rank, within Close and EndPass; a parameter
  // without any contribution has a gradient of zero.
  void StartPass(Take take);
  View Open(Context& ctx, Param& param) override;
  // Collective over `data`.
  void Close(Context& ctx, Param& param) override;
  // Hands on what is left. CHECKs that the pass has closed every parameter. Collective over `data`.
  void EndPass(Context& ctx);

 private:
  struct Bucket {
    std::vector<Param*> params;
    int64_t elements = 0;  // of this rank's parts
    int open = 0;          // parameters that the pass has yet to close
    Tensor gradients;      // one behind the other; empty until the first contribution
  };
  // A sum under way.
  struct Flight {
    Bucket* bucket;
    Tensor send, own;  // where masters are sharded
    Pending sum;
  };

  bool is_sharded() const { return store_->shards().size > 1; }
  View GradientOf(Context& ctx, const Param& param);
  void Start(Context& ctx, Bucket& bucket);
  Tensor Pack(Context& ctx, Bucket& bucket) const;
  void Land(Context& ctx);
  std::vector<Complete> CompleteOf(Flight& flight) const;
  int64_t ShareOf(const Bucket& bucket) const;  // elements

  const ParamStore* store_;
  Communicator* data_;
  std::vector<Bucket> buckets_;
  std::vector<size_t> bucket_of_;  // by parameter index
  std::vector<int64_t> offset_;    // in its bucket, by parameter index
  std::vector<bool> closed_;
  Take take_;
  std::optional<Flight> flight_;
};

}  // namespace frond
