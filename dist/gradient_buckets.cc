#include "dist/gradient_buckets.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/ops/elementwise.h"
#include "dist/row_shares.h"

namespace frond {

namespace {

// A small model too has a small part of its gradients alive at a time.
constexpr int64_t kMinBuckets = 16;

}  // namespace

GradientBuckets::GradientBuckets(const ParamStore& store, Communicator& data,
                                 int64_t bucket_elements)
    : store_(&store), data_(&data) {
  if (is_sharded()) CHECK_EQ(store.shards().size, data.size());
  const size_t count = store.params().size();
  int64_t elements = 0;
  for (const auto& param : store.params()) elements += param->shape.num_elements();
  bucket_elements = std::min(bucket_elements, elements / kMinBuckets);
  bucket_of_.resize(count);
  offset_.resize(count);
  // The first bucket is that of the vectors.
  buckets_.resize(1);
  for (const auto& param : store.params()) {
    const bool is_vector = param->spec.use == ParamUse::kVector;
    if (!is_vector && (buckets_.size() == 1 || buckets_.back().elements >= bucket_elements)) {
      buckets_.emplace_back();
    }
    Bucket& bucket = is_vector ? buckets_.front() : buckets_.back();
    const auto index = static_cast<size_t>(param->index);
    bucket_of_[index] = static_cast<size_t>(&bucket - buckets_.data());
    offset_[index] = bucket.elements;
    bucket.params.push_back(param.get());
    bucket.elements += AlignedElements(param->shape.num_elements());
  }
  if (buckets_.front().params.empty()) {
    buckets_.erase(buckets_.begin());
    for (size_t& bucket : bucket_of_) --bucket;
  }
}

GradientBuckets::~GradientBuckets() {
  if (flight_.has_value()) flight_->sum.Wait();  // a step that was given up
}

void GradientBuckets::StartPass(Take take) {
  take_ = std::move(take);
  closed_.assign(store_->params().size(), false);
  for (Bucket& bucket : buckets_) {
    bucket.open = static_cast<int>(bucket.params.size());
    bucket.gradients.Reset();
  }
}

View GradientBuckets::GradientOf(Context& ctx, const Param& param) {
  const auto index = static_cast<size_t>(param.index);
  CHECK_LT(index, closed_.size()) << param.name << ": no pass was started";
  CHECK(!closed_[index]) << param.name << " gets a gradient after its end";
  Bucket& bucket = buckets_[bucket_of_[index]];
  if (bucket.gradients.empty()) {
    bucket.gradients =
        Tensor(ctx, {bucket.elements}, store_->master_dtype(), MemoryKind::kGradients);
    Fill(ctx, 0, bucket.gradients);
  }
  const int64_t begin = offset_[index], n = param.shape.num_elements();
  return Reshape(Rows(bucket.gradients.view(), begin, begin + n), param.shape);
}

View GradientBuckets::Open(Context& ctx, Param& param) { return GradientOf(ctx, param); }

void GradientBuckets::Close(Context& ctx, Param& param) {
  GradientOf(ctx, param);
  const auto index = static_cast<size_t>(param.index);
  closed_[index] = true;
  Bucket& bucket = buckets_[bucket_of_[index]];
  if (--bucket.open == 0) Start(ctx, bucket);
}

void GradientBuckets::EndPass(Context& ctx) {
  const auto open = std::find(closed_.begin(), closed_.end(), false) - closed_.begin();
  CHECK_EQ(static_cast<size_t>(open), store_->params().size())
      << "the pass did not close " << store_->params()[static_cast<size_t>(open)]->name;
  if (flight_.has_value()) Land(ctx);
}

int64_t GradientBuckets::ShareOf(const Bucket& bucket) const {
  int64_t elements = 0;
  for (const Param* param : bucket.params) elements += ShareElements(*param, data_->size());
  return elements;
}

// The bucket's gradients as they are sent: rank after rank, each with its rows of every parameter.
Tensor GradientBuckets::Pack(Context& ctx, Bucket& bucket) const {
  const int ranks = data_->size();
  const int64_t share = ShareOf(bucket);
  Tensor send(ctx, {share * ranks}, bucket.gradients.dtype(), MemoryKind::kGradients);
  // Shares that are short leave a rest that is added up too.
  Fill(ctx, 0, send);
  for (int r = 0; r < ranks; ++r) {
    int64_t at = r * share;
    for (const Param* param : bucket.params) {
      const int64_t begin = offset_[static_cast<size_t>(param->index)];
      const View whole = Reshape(
          Rows(bucket.gradients.view(), begin, begin + param->shape.num_elements()), param->shape);
      const int64_t n = ShareElements(*param, ranks);
      CopyFlat(ctx, RowsOf(*param, whole, r, ranks), Rows(send.view(), at, at + n));
      at += n;
    }
  }
  return send;
}

void GradientBuckets::Start(Context& ctx, Bucket& bucket) {
  if (flight_.has_value()) Land(ctx);
  flight_.emplace(Flight{.bucket = &bucket, .send = {}, .own = {}, .sum = {}});
  if (is_sharded()) {
    const int64_t share = ShareOf(bucket);
    flight_->own = Tensor(ctx, {share}, bucket.gradients.dtype(), MemoryKind::kGradients);
    // One parameter with equal shares already lies as it is sent.
    const bool lies_ready = bucket.params.size() == 1 && share * data_->size() == bucket.elements;
    if (!lies_ready) {
      flight_->send = Pack(ctx, bucket);
      bucket.gradients.Reset();
    }
    flight_->sum = data_->ReduceScatter(ctx, lies_ready ? bucket.gradients : flight_->send,
                                        flight_->own, Reduce::kSum);
  } else if (data_->size() > 1) {
    flight_->sum = data_->AllReduce(ctx, bucket.gradients, Reduce::kSum);
  }
  if (!data_->IsAsynchronous()) Land(ctx);
}

std::vector<GradientBuckets::Complete> GradientBuckets::CompleteOf(Flight& flight) const {
  const bool is_share = !flight.own.empty();
  const View sums = is_share ? flight.own.view() : flight.bucket->gradients.view();
  std::vector<Complete> complete;
  int64_t share_begin = 0;
  for (Param* param : flight.bucket->params) {
    const int64_t begin = is_share ? share_begin : offset_[static_cast<size_t>(param->index)];
    const Shape shape = param->owned_shape();
    complete.push_back({param, Reshape(Rows(sums, begin, begin + shape.num_elements()), shape)});
    share_begin += ShareElements(*param, data_->size());
  }
  return complete;
}

void GradientBuckets::Land(Context& ctx) {
  flight_->sum.Wait();
  flight_->send.Reset();
  if (is_sharded()) flight_->bucket->gradients.Reset();
  take_(ctx, CompleteOf(*flight_));
  flight_->bucket->gradients.Reset();
  flight_.reset();
}

}  // namespace frond
