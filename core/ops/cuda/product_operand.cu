#include "core/ops/cuda/product_operand.h"
#include "core/ops/cuda/vectors.cuh"

namespace frond::cuda {
namespace {

__device__ __forceinline__ float Rest(float x) { return x - ToFloat(FromFloat<BFloat16>(x)); }

// Four elements a turn where all are aligned; low may be null.
__global__ void SplitKernel(const float* x, int64_t fours, int64_t n, BFloat16* high,
                            BFloat16* low) {
  for (int64_t i = FirstItem(); i < fours; i += ItemStride()) {
    const float4 value = LoadFour(x + 4 * i);
    StoreFour(value, high + 4 * i);
    if (low == nullptr) continue;
    StoreFour(make_float4(Rest(value.x), Rest(value.y), Rest(value.z), Rest(value.w)), low + 4 * i);
  }
  for (int64_t i = 4 * fours + FirstItem(); i < n; i += ItemStride()) {
    high[i] = FromFloat<BFloat16>(x[i]);
    if (low != nullptr) low[i] = FromFloat<BFloat16>(Rest(x[i]));
  }
}

}  // namespace

void SplitToBf16(Context& ctx, ConstView x, View high, View low) {
  const int64_t n = x.num_elements();
  const float* from = x.As<float>();
  auto* first = high.As<BFloat16>();
  BFloat16* second = low.data == nullptr ? nullptr : low.As<BFloat16>();
  const bool aligned = IsAlignedForFour(from) && IsAlignedForFour(first) &&
                       (second == nullptr || IsAlignedForFour(second));
  Launch(ctx, GridFor(ctx, aligned ? DivideUp(n, 4) : n), SplitKernel, from, aligned ? n / 4 : 0, n,
         first, second);
}

}  // namespace frond::cuda
