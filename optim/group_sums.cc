#include "optim/group_sums.h"

#include <numeric>

#include "core/base/check.h"

namespace frond {

int GroupSums::Add(int64_t count, const Axes& axes) {
  CHECK(numbers_.empty()) << "the memory is taken already";
  const Region region = axes.data ? (axes.tensor ? kBoth : kData) : (axes.tensor ? kTensor : kNone);
  entries_.push_back({region, sizes_[region], count});
  sizes_[region] += count;
  return static_cast<int>(entries_.size()) - 1;
}

int64_t GroupSums::Begin(size_t region) const {
  return std::accumulate(sizes_.begin(), sizes_.begin() + static_cast<ptrdiff_t>(region),
                         int64_t{0});
}

void GroupSums::Allocate(Context& ctx) {
  numbers_ = Tensor(ctx, {Begin(kRegions)}, DType::kF64, MemoryKind::kWorkspace);
}

View GroupSums::At(int sums) {
  const Entry& entry = entries_[static_cast<size_t>(sums)];
  const int64_t begin = Begin(entry.region) + entry.first;
  return Rows(numbers_.view(), begin, begin + entry.count);
}

void GroupSums::SumOverRanks(Context& ctx) {
  SumOver(ctx, tensor_, kBoth, kTensor);
  SumOver(ctx, data_, kData, kBoth);
}

void GroupSums::SumOver(Context& ctx, Communicator* axis, Region first, Region last) {
  const View numbers = Rows(numbers_.view(), Begin(first), Begin(last + 1));
  if (numbers.num_elements() == 0) return;
  CHECK(axis != nullptr) << "numbers to add up over an axis that is not there";
  axis->AllReduce(ctx, numbers, Reduce::kSum).Wait();
}

}  // namespace frond
