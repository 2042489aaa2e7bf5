#include "dist/gradient_sums.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/ops/elementwise.h"
#include "core/tensor/transfer.h"
#include "dist/sum_numbers.h"

namespace frond {
namespace {

// Elements that are reduced over the ranks at once.
constexpr int64_t kBucketElements = int64_t{1} << 23;

// Elements that are searched for the first bad one at once, on the host.
constexpr int64_t kSearchElements = int64_t{1} << 20;

// Empty where there is none in this rank's part.
std::string DescribeBadElement(Context& ctx, const Param& param, ConstView grad) {
  const int64_t n = grad.num_elements();
  const ConstView flat = Reshape(grad, {n});
  for (int64_t begin = 0; begin < n; begin += kSearchElements) {
    const std::vector<double> x =
        ToDoubles(ctx, Rows(flat, begin, std::min(n, begin + kSearchElements)));
    const auto bad = std::find_if(x.begin(), x.end(), [](double v) { return !std::isfinite(v); });
    if (bad == x.end()) continue;
    return absl::StrCat("the gradient of ", param.name, " is not finite: element ",
                        param.owned.WholeIndex(begin + (bad - x.begin())), " of ",
                        param.spec.shape.ToString(), " is ", *bad);
  }
  return "";
}

// The first that says something.
std::string FirstOf(const std::vector<std::string>& texts) {
  const auto found = std::find_if(texts.begin(), texts.end(),
                                  [](const std::string& text) { return !text.empty(); });
  return found == texts.end() ? "" : *found;
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

absl::StatusOr<std::vector<double>> GradientParts::SumsOfSquares(
    Context& ctx, std::span<const Param* const> params, std::span<const ConstView> parts) const {
  std::vector<double> sums = frond::SumsOfSquares(ctx, parts);
  for (size_t i = 0; i < sums.size(); ++i) {
    // What every rank of the tensor axis holds counts once.
    const bool is_split = params[i]->spec.partition.split_dim >= 0;
    if (!is_split && axis_.place().rank > 0) sums[i] = 0;
  }
  axis_.SumNumbers(sums);
  if (shards_ != nullptr) SumNumbers(*shards_, sums);
  for (size_t i = 0; i < sums.size(); ++i) {
    RETURN_IF_ERROR(CheckFinite(ctx, *params[i], parts[i], sums[i]));
  }
  return sums;
}

absl::StatusOr<double> GradientParts::Norm(
    Context& ctx, const ParamStore& store,
    const std::function<ConstView(const Param&)>& part_of) const {
  std::vector<const Param*> params;
  std::vector<ConstView> parts;
  for (const auto& param : store.params()) {
    params.push_back(param.get());
    parts.push_back(part_of(*param));
  }
  ASSIGN_OR_RETURN(const std::vector<double> sums, SumsOfSquares(ctx, params, parts));
  return std::sqrt(std::accumulate(sums.begin(), sums.end(), 0.0));
}

absl::Status GradientParts::CheckFinite(Context& ctx, const Param& param, ConstView part,
                                        double sum) const {
  if (std::isfinite(sum)) return absl::OkStatus();
  // What the first rank with a bad element in its part says.
  std::string text = FirstOf(axis_.AllGatherBytes(DescribeBadElement(ctx, param, part)));
  if (shards_ != nullptr) text = FirstOf(shards_->AllGatherBytes(text));
  if (text.empty()) text = absl::StrCat("the norm of the gradient of ", param.name, " overflows");
  return absl::OutOfRangeError(text);
}

}  // namespace frond
