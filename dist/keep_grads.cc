#include "dist/keep_grads.h"

#include <vector>

#include "core/base/check.h"
#include "core/ops/elementwise.h"
#include "dist/gradient_sums.h"
#include "dist/row_shares.h"

namespace frond {

KeepGrads::KeepGrads(Context& ctx, const ParamStore& store, int64_t bucket_elements)
    : store_(&store) {
  int64_t total = 0;
  for (const auto& param : store.params()) {
    offset_.push_back(total);
    if (buckets_.empty() || total - buckets_.back().begin >= bucket_elements) {
      buckets_.push_back({.begin = total});
    }
    const int64_t n = param->shape.num_elements();
    total += AlignedElements(n);
    bucket_of_.push_back(buckets_.size() - 1);
    buckets_.back().end = total;
    ++buckets_.back().num_params;
  }
  buffer_ = Tensor(ctx, {total}, store.master_dtype(), MemoryKind::kGradients);
  StartStep(ctx);
}

KeepGrads::~KeepGrads() { WaitForSums(); }

void KeepGrads::StartStep(Context& ctx) {
  WaitForSums();  // of a step that was given up
  Fill(ctx, 0, buffer_);
}

void KeepGrads::StartLastPass(Communicator& data) {
  CHECK(!early_.has_value()) << "a step has one last pass";
  early_ = {.data = &data, .open_params = {}, .next = buckets_.size(), .started = {}};
  for (const Bucket& bucket : buckets_) early_->open_params.push_back(bucket.num_params);
}

void KeepGrads::StartBucket(Context& ctx) {
  const Bucket& bucket = buckets_[--early_->next];
  early_->started.push_back(
      early_->data->AllReduce(ctx, Rows(buffer_.view(), bucket.begin, bucket.end), Reduce::kSum));
}

void KeepGrads::EndPasses(Context& ctx) {
  CHECK(early_.has_value()) << "no last pass was started";
  while (early_->next > 0) StartBucket(ctx);
}

void KeepGrads::WaitForSums() {
  if (!early_.has_value()) return;
  for (Pending& sum : early_->started) sum.Wait();
  early_.reset();
}

View KeepGrads::GradView(const Param& param) const {
  CHECK_LT(static_cast<size_t>(param.index), offset_.size());
  const int64_t begin = offset_[static_cast<size_t>(param.index)];
  const Shape& shape = param.shape;
  return Reshape(Rows(buffer_.view(), begin, begin + shape.num_elements()), shape);
}

View KeepGrads::Open(Context&, Param& param) { return GradView(param); }

void KeepGrads::Close(Context& ctx, Param& param) {
  if (!early_.has_value()) return;
  int& open = early_->open_params[bucket_of_[static_cast<size_t>(param.index)]];
  CHECK_GT(open, 0) << param.name << " was closed twice in one pass";
  --open;
  while (early_->next > 0 && early_->open_params[early_->next - 1] == 0) StartBucket(ctx);
}

ConstView KeepGrads::Grad(const Param& param) const { return GradView(param); }

absl::StatusOr<double> KeepGrads::Finish(Context& ctx, Communicator& data,
                                         const TensorAxis& tensor) {
  if (early_.has_value()) {
    CHECK_EQ(early_->data, &data);
    EndPasses(ctx);
    WaitForSums();
  } else {
    SumOverRanks(ctx, data, buffer_);
  }
  return GradientParts(tensor).Norm(ctx, *store_,
                                    [this](const Param& param) { return Grad(param); });
}

}  // namespace frond
