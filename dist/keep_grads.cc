#include "dist/keep_grads.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/ops/elementwise.h"

namespace frond {
namespace {

// Gradients begin on cache lines.
constexpr int64_t kAlignElements = 16;
// Elements that are reduced over the ranks at once.
constexpr int64_t kBucketElements = int64_t{1} << 23;

template <class T>
int64_t FirstNonFinite(const T* x, int64_t n) {
  return std::find_if(x, x + n, [](T value) { return !std::isfinite(value); }) - x;
}

absl::Status NonFiniteError(const Param& param, ConstView grad) {
  const int64_t n = grad.num_elements();
  const bool is_f64 = grad.dtype == DType::kF64;
  const int64_t at =
      is_f64 ? FirstNonFinite(grad.As<double>(), n) : FirstNonFinite(grad.As<float>(), n);
  if (at == n) {
    return absl::OutOfRangeError(
        absl::StrCat("the norm of the gradient of ", param.name, " overflows"));
  }
  const double value = is_f64 ? grad.As<double>()[at] : double{grad.As<float>()[at]};
  return absl::OutOfRangeError(absl::StrCat("the gradient of ", param.name,
                                            " is not finite: element ", at, " of ",
                                            grad.shape.ToString(), " is ", value));
}

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
  const int64_t total = buffer_.shape().dim(0);
  for (int64_t begin = 0; begin < total && data.size() > 1; begin += kBucketElements) {
    const View bucket = Rows(buffer_.view(), begin, std::min(total, begin + kBucketElements));
    data.AllReduce(ctx, bucket, Reduce::kSum).Wait();
  }
  double squares = 0;
  for (const auto& param : store_->params()) {
    const ConstView grad = Grad(*param);
    const double sum = SumOfSquares(ctx, grad);
    if (!std::isfinite(sum)) return NonFiniteError(*param, grad);
    squares += sum;
  }
  return std::sqrt(squares);
}

}  // namespace frond
