#include "core/ops/cuda/block_sum.cuh"
#include "core/ops/cuda/elementwise.h"
#include "core/ops/cuda/vectors.cuh"

namespace frond::cuda {
namespace {

// y = alpha x (+ y), four elements a turn where both are aligned. kCast: alpha is 1 and nothing is
// multiplied, which would change the bits of a NaN.
template <bool kCast, class In, class Out>
__global__ void ScaleKernel(float alpha, const In* x, bool accumulate, int64_t fours, int64_t n,
                            Out* y) {
  for (int64_t i = FirstItem(); i < fours; i += ItemStride()) {
    float4 value = LoadFour(x + 4 * i);
    if (!kCast) {
      value = make_float4(alpha * value.x, alpha * value.y, alpha * value.z, alpha * value.w);
    }
    if (accumulate) {
      const float4 old = LoadFour(y + 4 * i);
      value = make_float4(value.x + old.x, value.y + old.y, value.z + old.z, value.w + old.w);
    }
    StoreFour(value, y + 4 * i);
  }
  for (int64_t i = 4 * fours + FirstItem(); i < n; i += ItemStride()) {
    float value = ToFloat(x[i]);
    if (!kCast) value *= alpha;
    if (accumulate) value += ToFloat(y[i]);  // a sum with 0 would take the sign from -0
    y[i] = FromFloat<Out>(value);
  }
}

template <class T>
__global__ void FillKernel(float value, int64_t n, T* x) {
  for (int64_t i = FirstItem(); i < n; i += ItemStride()) x[i] = FromFloat<T>(value);
}

constexpr int kSumThreads = 256;

template <class T>
__global__ void SquaresKernel(const T* x, int64_t n, double* partial) {
  double sum = 0;
  for (int64_t i = FirstItem(); i < n; i += ItemStride()) {
    const double value = ToFloat(x[i]);
    sum += value * value;
  }
  sum = BlockSum<kSumThreads>(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

template <class T>
__global__ void CountNonFiniteKernel(const T* x, int64_t n, double* partial) {
  double count = 0;
  for (int64_t i = FirstItem(); i < n; i += ItemStride()) {
    if (!isfinite(ToFloat(x[i]))) count += 1;
  }
  count = BlockSum<kSumThreads>(count);
  if (threadIdx.x == 0) partial[blockIdx.x] = count;
}

__global__ void TotalKernel(const double* partial, int count, double* total) {
  double sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += kSumThreads) sum += partial[i];
  sum = BlockSum<kSumThreads>(sum);
  if (threadIdx.x == 0) *total = sum;
}

void Scale(Context& ctx, float alpha, ConstView x, Write mode, View y) {
  const int64_t n = x.num_elements();
  VisitGpuType(x.dtype, [&](auto in) {
    VisitGpuType(y.dtype, [&](auto out) {
      const auto* source = x.As<decltype(in)>();
      auto* target = y.As<decltype(out)>();
      const bool aligned = IsAlignedForFour(source) && IsAlignedForFour(target);
      const int64_t fours = aligned ? n / 4 : 0;
      Launch(ctx, GridFor(ctx, aligned ? DivideUp(n, 4) : n),
             alpha == 1 ? ScaleKernel<true, decltype(in), decltype(out)>
                        : ScaleKernel<false, decltype(in), decltype(out)>,
             alpha, source, mode == Write::kAccumulate, fours, n, target);
    });
  });
}

// Sums what kernel_for(T{}), a kernel for elements of T, leaves per block of each tensor. A grid
// depends on the device and the number of elements alone. The tensors are reduced in turn, so they
// share the room for the blocks' sums, and the host waits once, for all totals.
template <class KernelFor>
std::vector<double> Reduce(Context& ctx, std::span<const ConstView> tensors, KernelFor kernel_for) {
  std::vector<double> totals(tensors.size());
  int64_t most = 0;
  for (const ConstView& x : tensors) most = std::max(most, x.num_elements());
  if (most == 0) return totals;
  const auto room = static_cast<int64_t>(GridFor(ctx, most, kSumThreads).blocks.x);
  const auto count = static_cast<int64_t>(tensors.size());
  Tensor sums(ctx, {count + room}, DType::kF64, MemoryKind::kWorkspace);
  double* total = sums.As<double>();
  double* partial = total + count;
  // Tensors without elements launch nothing.
  FROND_CUDA_CHECK(cudaMemsetAsync(total, 0, tensors.size() * sizeof(double), StreamOf(ctx)));
  for (const ConstView& x : tensors) {
    const Grid grid = GridFor(ctx, x.num_elements(), kSumThreads);
    if (grid.blocks.x > 0) {
      VisitGpuType(x.dtype, [&](auto type) {
        using T = decltype(type);
        Launch(ctx, grid, kernel_for(type), x.As<T>(), x.num_elements(), partial);
      });
      Launch(ctx, {.blocks = dim3(1), .threads = dim3(kSumThreads)}, TotalKernel, partial,
             static_cast<int>(grid.blocks.x), total);
    }
    ++total;
  }
  ctx.memory().CopyToHost(sums.As<double>(), tensors.size() * sizeof(double), totals.data());
  return totals;
}

}  // namespace

void Cast(Context& ctx, ConstView x, View y) { Scale(ctx, 1.0f, x, Write::kAssign, y); }

void Fill(Context& ctx, double value, View x) {
  if (value == 0) {
    if (x.bytes() > 0) FROND_CUDA_CHECK(cudaMemsetAsync(x.data, 0, x.bytes(), StreamOf(ctx)));
    return;
  }
  VisitGpuType(x.dtype, [&](auto type) {
    using T = decltype(type);
    Launch(ctx, GridFor(ctx, x.num_elements()), FillKernel<T>, static_cast<float>(value),
           x.num_elements(), x.As<T>());
  });
}

void AddScaled(Context& ctx, double alpha, ConstView x, Write mode, View y) {
  Scale(ctx, static_cast<float>(alpha), x, mode, y);
}

double SumOfSquares(Context& ctx, ConstView x) { return SumsOfSquares(ctx, {&x, 1}).front(); }

std::vector<double> SumsOfSquares(Context& ctx, std::span<const ConstView> tensors) {
  return Reduce(ctx, tensors, [](auto type) { return SquaresKernel<decltype(type)>; });
}

bool AllFinite(Context& ctx, ConstView x) {
  const auto kernel = [](auto type) { return CountNonFiniteKernel<decltype(type)>; };
  return Reduce(ctx, {&x, 1}, kernel).front() == 0;
}

}  // namespace frond::cuda
