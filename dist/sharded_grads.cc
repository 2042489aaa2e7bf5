#include "dist/sharded_grads.h"

#include "core/base/check.h"
#include "core/ops/elementwise.h"
#include "dist/row_shares.h"

namespace frond {

ShardedGrads::ShardedGrads(Context& ctx, const ParamStore& store, Communicator& data,
                           const TensorAxis& tensor, int64_t bucket_elements)
    : store_(&store), buckets_(store, data, bucket_elements), parts_(tensor, &data) {
  CHECK_EQ(store.shards().size, data.size());
  int64_t total = 0;
  for (const auto& param : store.params()) {
    offset_.push_back(total);
    total += AlignedElements(param->owned.num_elements());
  }
  buffer_ = Tensor(ctx, {total}, store.master_dtype(), MemoryKind::kGradients);
  StartStep(ctx);
}

void ShardedGrads::StartStep(Context& ctx) { Fill(ctx, 0, buffer_); }

void ShardedGrads::StartPass() {
  buckets_.StartPass([this](Context& ctx, std::span<const GradientBuckets::Complete> bucket) {
    for (const auto& [param, gradient] : bucket) {
      if (gradient.num_elements() == 0) continue;
      AddScaled(ctx, 1, gradient, Write::kAccumulate, GradView(*param));
    }
  });
}

View ShardedGrads::GradView(const Param& param) const {
  const int64_t begin = offset_[static_cast<size_t>(param.index)];
  const Shape shape = param.owned_shape();
  return Reshape(Rows(buffer_.view(), begin, begin + shape.num_elements()), shape);
}

absl::StatusOr<double> ShardedGrads::Finish(Context& ctx) {
  return parts_.Norm(ctx, *store_, [this](const Param& param) { return Grad(param); });
}

}  // namespace frond
