#include "dist/tensor_axis.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/ops/elementwise.h"
#include "core/ops/scatter_rows.h"
#include "dist/sum_numbers.h"

namespace frond {

TensorAxis::TensorAxis(Communicator& ranks, bool sequence_parallel)
    : ranks_(&ranks), shares_rows_(sequence_parallel && ranks.size() > 1) {}

TensorAxis TensorAxis::WithWholeRows() const {
  TensorAxis axis = *this;
  axis.shares_rows_ = false;
  return axis;
}

int64_t TensorAxis::Part(int64_t count) const {
  CHECK_EQ(count % size(), 0) << count << " over " << size() << " ranks";
  return count / size();
}

int64_t TensorAxis::Own(int64_t rows) const {
  CHECK_EQ(rows % row_unit(), 0) << rows << " rows over " << size() << " ranks";
  return rows / row_unit();
}

ConstView TensorAxis::Whole(Context& ctx, ConstView own, Tensor& buffer) const {
  if (!shares_rows_) return own;
  buffer = Tensor(ctx, {own.dim(0) * size(), own.dim(1)}, own.dtype);
  Gather(ctx, own, buffer);
  return buffer;
}

Tensor TensorAxis::Whole(Context& ctx, Tensor own) const {
  Tensor buffer;
  Whole(ctx, own, buffer);
  return buffer.empty() ? std::move(own) : std::move(buffer);
}

Tensor TensorAxis::StartedSum::Wait() {
  pending_.Wait();
  if (own_.empty()) return std::move(partial_);
  partial_.Reset();
  return std::move(own_);
}

TensorAxis::StartedSum TensorAxis::StartSum(Context& ctx, Tensor partial) const {
  StartedSum sum;
  sum.partial_ = std::move(partial);
  if (size() == 1) return sum;
  if (!shares_rows_) {
    sum.pending_ = ranks_->AllReduce(ctx, sum.partial_, Reduce::kSum);
    return sum;
  }
  const Shape& shape = sum.partial_.shape();
  sum.own_ = Tensor(ctx, {Own(shape.dim(0)), shape.dim(1)}, sum.partial_.dtype());
  sum.pending_ = ranks_->ReduceScatter(ctx, sum.partial_, sum.own_, Reduce::kSum);
  return sum;
}

Tensor TensorAxis::Sum(Context& ctx, Tensor partial) const {
  return StartSum(ctx, std::move(partial)).Wait();
}

void TensorAxis::AddOverRows(Context& ctx, View target,
                             const std::function<void(View)>& add) const {
  if (!shares_rows_) return add(target);
  Tensor part(ctx, target.shape, target.dtype);
  Fill(ctx, 0, part);
  add(part);
  ranks_->AllReduce(ctx, part, Reduce::kSum).Wait();
  AddScaled(ctx, 1, part, Write::kAccumulate, target);
}

void TensorAxis::Gather(Context& ctx, ConstView part, View parts) const {
  if (size() == 1) return Cast(ctx, part, parts);
  ranks_->AllGather(ctx, part, parts).Wait();
}

Tensor TensorAxis::WholeColumns(Context& ctx, Tensor part) const {
  if (size() == 1) return part;
  const int64_t rows = part.shape().dim(0), cols = part.shape().dim(1), ranks = size();
  const Shape by_part = {rows * ranks, cols};
  Tensor parts(ctx, by_part, part.dtype()), whole(ctx, {rows, ranks * cols}, part.dtype());
  Gather(ctx, part, parts);
  std::vector<int64_t> places;  // of rank r's part of row i, among all parts of all rows
  for (int64_t r = 0; r < ranks; ++r) {
    for (int64_t i = 0; i < rows; ++i) places.push_back(i * ranks + r);
  }
  ScatterRows(ctx, parts, places, Reshape(whole.view(), by_part));
  return whole;
}

void TensorAxis::CountOnce(std::span<double> numbers) const {
  if (place().rank > 0) std::fill(numbers.begin(), numbers.end(), 0.0);
}

void TensorAxis::SumNumbers(std::span<double> numbers) const {
  if (size() > 1) frond::SumNumbers(*ranks_, numbers);
}

std::vector<std::string> TensorAxis::AllGatherBytes(absl::string_view bytes) const {
  return size() > 1 ? ranks_->AllGatherBytes(bytes) : std::vector<std::string>{std::string(bytes)};
}

}  // namespace frond
