#include "dist/gradient_sums.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "core/ops/elementwise.h"

namespace frond {
namespace {

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

void SumOverRanks(Context& ctx, Communicator& data, View gradients) {
  if (data.size() == 1) return;
  const int64_t total = gradients.num_elements();
  const View flat = Reshape(gradients, {total});
  for (int64_t begin = 0; begin < total; begin += kBucketElements) {
    const View bucket = Rows(flat, begin, std::min(total, begin + kBucketElements));
    data.AllReduce(ctx, bucket, Reduce::kSum).Wait();
  }
}

absl::StatusOr<double> FiniteSumOfSquares(Context& ctx, const Param& param, ConstView gradient) {
  const double sum = SumOfSquares(ctx, gradient);
  if (!std::isfinite(sum)) return NonFiniteError(param, gradient);
  return sum;
}

}  // namespace frond
