#include "dist/keep_grads.h"

#include <cmath>
#include <vector>

#include "core/base/check.h"
#include "core/base/status_macros.h"
#include "core/ops/elementwise.h"
#include "dist/gradient_sums.h"

namespace frond {
namespace {

// Gradients begin on cache lines.
constexpr int64_t kAlignElements = 16;
}  // namespace

KeepGrads::KeepGrads(Context& ctx, const ParamStore& store) : store_(&store) {
  int64_t total = 0;
  for (const auto& param : store.params()) {
    offset_.push_back(total);
    const int64_t n = param->spec.shape.num_elements();
    total += (n + kAlignElements - 1) / kAlignElements * kAlignElements;
  }
  buffer_ = Tensor(ctx, {total}, store.master_dtype(), MemoryKind::kGradients);
  StartStep(ctx);
}

void KeepGrads::StartStep(Context& ctx) { Fill(ctx, 0, buffer_); }

View KeepGrads::GradView(const Param& param) const {
  CHECK_LT(static_cast<size_t>(param.index), offset_.size());
  const int64_t begin = offset_[static_cast<size_t>(param.index)];
  const Shape& shape = param.spec.shape;
  return Reshape(Rows(buffer_.view(), begin, begin + shape.num_elements()), shape);
}

View KeepGrads::Open(Context&, Param& param) { return GradView(param); }

void KeepGrads::Close(Context&, Param&) {}

ConstView KeepGrads::Grad(const Param& param) const { return GradView(param); }

absl::StatusOr<double> KeepGrads::Finish(Context& ctx, Communicator& data) {
  SumOverRanks(ctx, data, buffer_);
  std::vector<ConstView> grads;
  for (const auto& param : store_->params()) grads.push_back(Grad(*param));
  const std::vector<double> sums = SumsOfSquares(ctx, grads);
  double squares = 0;
  for (size_t i = 0; i < sums.size(); ++i) {
    RETURN_IF_ERROR(CheckFiniteSum(ctx, *store_->params()[i], grads[i], sums[i]));
    squares += sums[i];
  }
  return std::sqrt(squares);
}

}  // namespace frond
