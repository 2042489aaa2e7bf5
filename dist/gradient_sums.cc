#include "dist/gradient_sums.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/ops/elementwise.h"
#include "core/tensor/transfer.h"

namespace frond {
namespace {

// Elements that are reduced over the ranks at once.
constexpr int64_t kBucketElements = int64_t{1} << 23;

// Elements that are searched for the first bad one at once, on the host.
constexpr int64_t kSearchElements = int64_t{1} << 20;

absl::Status NonFiniteError(Context& ctx, const Param& param, ConstView grad) {
  const int64_t n = grad.num_elements();
  const ConstView flat = Reshape(grad, {n});
  for (int64_t begin = 0; begin < n; begin += kSearchElements) {
    const std::vector<double> x =
        ToDoubles(ctx, Rows(flat, begin, std::min(n, begin + kSearchElements)));
    const auto bad = std::find_if(x.begin(), x.end(), [](double v) { return !std::isfinite(v); });
    if (bad == x.end()) continue;
    return absl::OutOfRangeError(absl::StrCat("the gradient of ", param.name,
                                              " is not finite: element ", begin + (bad - x.begin()),
                                              " of ", grad.shape.ToString(), " is ", *bad));
  }
  return absl::OutOfRangeError(
      absl::StrCat("the norm of the gradient of ", param.name, " overflows"));
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
  RETURN_IF_ERROR(CheckFiniteSum(ctx, param, gradient, sum));
  return sum;
}

absl::Status CheckFiniteSum(Context& ctx, const Param& param, ConstView gradient, double sum) {
  return std::isfinite(sum) ? absl::OkStatus() : NonFiniteError(ctx, param, gradient);
}

}  // namespace frond
