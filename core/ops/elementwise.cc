#include "core/ops/elementwise.h"

#include "core/ops/cpu/elementwise.h"
#include "core/ops/cuda/elementwise.h"
#include "core/ops/dispatch.h"

namespace frond {
namespace {

size_t TotalBytes(std::span<const ConstView> tensors) {
  size_t bytes = 0;
  for (const ConstView& x : tensors) bytes += x.bytes();
  return bytes;
}

}  // namespace

void Cast(Context& ctx, ConstView x, View y) {
  CHECK_EQ(x.num_elements(), y.num_elements());
  const ProfileScope scope(ctx.profiler(), "elementwise", 0, x.bytes() + y.bytes());
  Dispatch<cpu::Cast, cuda::Cast>(ctx, x, y);
}

void Fill(Context& ctx, double value, View x) {
  const ProfileScope scope(ctx.profiler(), "elementwise", 0, x.bytes());
  Dispatch<cpu::Fill, cuda::Fill>(ctx, value, x);
}

void AddScaled(Context& ctx, double alpha, ConstView x, Write mode, View y) {
  CHECK_EQ(x.num_elements(), y.num_elements());
  const ProfileScope scope(ctx.profiler(), "elementwise", 0,
                           x.bytes() + (mode == Write::kAccumulate ? 2 : 1) * y.bytes());
  Dispatch<cpu::AddScaled, cuda::AddScaled>(ctx, alpha, x, mode, y);
}

double SumOfSquares(Context& ctx, ConstView x) {
  const ProfileScope scope(ctx.profiler(), "elementwise", 0, x.bytes());
  return Dispatch<cpu::SumOfSquares, cuda::SumOfSquares>(ctx, x);
}

std::vector<double> SumsOfSquares(Context& ctx, std::span<const ConstView> tensors) {
  if (ctx.device() == Device::kMeta) return std::vector<double>(tensors.size());
  const ProfileScope scope(ctx.profiler(), "elementwise", 0, TotalBytes(tensors));
  return Dispatch<cpu::SumsOfSquares, cuda::SumsOfSquares>(ctx, tensors);
}

bool AllFinite(Context& ctx, ConstView x) {
  if (ctx.device() == Device::kMeta) return true;
  const ProfileScope scope(ctx.profiler(), "elementwise", 0, x.bytes());
  return Dispatch<cpu::AllFinite, cuda::AllFinite>(ctx, x);
}

}  // namespace frond
