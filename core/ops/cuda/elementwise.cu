#include "core/ops/cuda/elementwise.h"
#include "core/ops/cuda/vectors.cuh"

namespace frond::cuda {
namespace {

// y = alpha x (+ y), four elements a turn where both are aligned.
template <class In, class Out>
__global__ void ScaleKernel(float alpha, const In* x, bool accumulate, int64_t fours, int64_t n,
                            Out* y) {
  for (int64_t i = FirstItem(); i < fours; i += ItemStride()) {
    float4 value = LoadFour(x + 4 * i);
    value = make_float4(alpha * value.x, alpha * value.y, alpha * value.z, alpha * value.w);
    if (accumulate) {
      const float4 old = LoadFour(y + 4 * i);
      value = make_float4(value.x + old.x, value.y + old.y, value.z + old.z, value.w + old.w);
    }
    StoreFour(value, y + 4 * i);
  }
  for (int64_t i = 4 * fours + FirstItem(); i < n; i += ItemStride()) {
    const float value = alpha * ToFloat(x[i]) + (accumulate ? ToFloat(y[i]) : 0.0f);
    y[i] = FromFloat<Out>(value);
  }
}

template <class T>
__global__ void FillKernel(float value, int64_t n, T* x) {
  for (int64_t i = FirstItem(); i < n; i += ItemStride()) x[i] = FromFloat<T>(value);
}

constexpr int kSumThreads = 256;

// Sums of one block in a fixed order; the first thread gets the result.
template <class Sum>
__device__ Sum BlockSum(Sum x) {
  __shared__ Sum partial[kSumThreads / 32];
  x = WarpSum(x);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = x;
  __syncthreads();
  Sum sum = 0;
  if (threadIdx.x == 0) {
    for (int w = 0; w < kSumThreads / 32; ++w) sum += partial[w];
  }
  return sum;
}

template <class T>
__global__ void SquaresKernel(const T* x, int64_t n, double* partial) {
  double sum = 0;
  for (int64_t i = FirstItem(); i < n; i += ItemStride()) {
    const double value = ToFloat(x[i]);
    sum += value * value;
  }
  sum = BlockSum(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

template <class T>
__global__ void CountNonFiniteKernel(const T* x, int64_t n, double* partial) {
  double count = 0;
  for (int64_t i = FirstItem(); i < n; i += ItemStride()) {
    if (!isfinite(ToFloat(x[i]))) count += 1;
  }
  count = BlockSum(count);
  if (threadIdx.x == 0) partial[blockIdx.x] = count;
}

__global__ void TotalKernel(const double* partial, int count, double* total) {
  double sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += kSumThreads) sum += partial[i];
  sum = BlockSum(sum);
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
             ScaleKernel<decltype(in), decltype(out)>, alpha, source, mode == Write::kAccumulate,
             fours, n, target);
    });
  });
}

// Sums what `kernel` leaves per block. The grid depends on the device and n alone.
template <class T>
double Reduce(Context& ctx, void (*kernel)(const T*, int64_t, double*), ConstView x) {
  if (x.num_elements() == 0) return 0;
  const Grid grid = GridFor(ctx, x.num_elements(), kSumThreads);
  const auto blocks = static_cast<int64_t>(grid.blocks.x);
  // f64 per block, then the total.
  Tensor partial(ctx, {blocks + 1}, DType::kF64, MemoryKind::kWorkspace);
  double* sums = partial.As<double>();
  Launch(ctx, grid, kernel, x.As<T>(), x.num_elements(), sums);
  Launch(ctx, {.blocks = dim3(1), .threads = dim3(kSumThreads)}, TotalKernel, sums,
         static_cast<int>(blocks), sums + blocks);
  double total = 0;
  ctx.memory().CopyToHost(sums + blocks, sizeof(total), &total);
  return total;
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

double SumOfSquares(Context& ctx, ConstView x) {
  double sum = 0;
  VisitGpuType(x.dtype, [&](auto type) {
    using T = decltype(type);
    sum = Reduce<T>(ctx, SquaresKernel<T>, x);
  });
  return sum;
}

bool AllFinite(Context& ctx, ConstView x) {
  double count = 0;
  VisitGpuType(x.dtype, [&](auto type) {
    using T = decltype(type);
    count = Reduce<T>(ctx, CountNonFiniteKernel<T>, x);
  });
  return count == 0;
}

}  // namespace frond::cuda
