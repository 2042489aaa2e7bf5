// A row belongs to a group of threads that keep their elements in registers between the sum over
// the row and its use, so that memory is read once. In the gradient a block goes through many rows
// and keeps its share of dscale in registers, too; the shares are added in a fixed order.
#include "core/ops/cuda/rms_norm.h"
#include "core/ops/cuda/vectors.cuh"

namespace frond::cuda {
namespace {

// Rows of up to 4,096 elements: 16 for each of 256 threads, three blocks on a multiprocessor.
// Longer ones: twice as many, and up to 512 threads.
constexpr int kUsualThreads = 256;
constexpr int kUsualElements = 16;
constexpr int MaxThreads(int elements) { return elements / kUsualElements * kUsualThreads; }
constexpr int BlocksAtATime(int elements) { return elements == kUsualElements ? 3 : 1; }

// How rows are dealt to threads.
struct NormRows {
  int64_t count;
  int dim;
  int threads;    // of a row
  int per_block;  // rows that a block does at a time
};

template <int kWidth, class T>
__device__ __forceinline__ Floats<kWidth> LoadOrZero(const T* p, bool inside) {
  return inside ? LoadFloats<kWidth>(p) : Floats<kWidth>{};
}

// Sum over the threads of a row, in a fixed order; all of them get it. All threads of the block
// call it together.
__device__ __forceinline__ float RowSum(float x, int threads) {
  __shared__ float partial[MaxThreads(2 * kUsualElements) / 32];
  x = WarpSum(x);
  if (threads == 32) return x;
  __syncthreads();  // the sum before this one has been read
  const int warp = static_cast<int>(threadIdx.x) / 32, warps = threads / 32;
  if (threadIdx.x % 32 == 0) partial[warp] = x;
  __syncthreads();
  float sum = 0;
  for (int w = warp / warps * warps, end = w + warps; w < end; ++w) sum += partial[w];
  return sum;
}

template <int kElements, int kWidth, class X, class Y>
__global__ void __launch_bounds__(MaxThreads(kElements), BlocksAtATime(kElements))
    RmsNormKernel(NormRows rows, const X* x, const float* scale, float epsilon, Y* y, BFloat16* low,
                  float* rstd) {
  constexpr int kVectors = kElements / kWidth;
  const int thread = static_cast<int>(threadIdx.x) % rows.threads;
  const int64_t row =
      int64_t{blockIdx.x} * rows.per_block + static_cast<int>(threadIdx.x) / rows.threads;
  const bool is_row = row < rows.count;
  const auto column = [&](int v) { return (v * rows.threads + thread) * kWidth; };
  Floats<kWidth> values[kVectors];
  float squares = 0;
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    const bool inside = is_row && column(v) < rows.dim;
    values[v] = LoadOrZero<kWidth>(x + row * rows.dim + column(v), inside);
    for (const float value : values[v].at) squares += value * value;
  }
  const float mean = RowSum(squares, rows.threads) / static_cast<float>(rows.dim);
  if (!is_row) return;
  const float factor = 1.0f / sqrtf(mean + epsilon);
  if (thread == 0) rstd[row] = factor;
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    if (column(v) >= rows.dim) break;
    const Floats<kWidth> weight = LoadFloats<kWidth>(scale + column(v));
#pragma unroll
    for (int i = 0; i < kWidth; ++i) values[v].at[i] *= factor * weight.at[i];
    StoreFloats(values[v], y + row * rows.dim + column(v));
    if (low == nullptr) continue;
#pragma unroll
    for (int i = 0; i < kWidth; ++i) values[v].at[i] -= ToFloat(FromFloat<Y>(values[v].at[i]));
    StoreFloats(values[v], low + row * rows.dim + column(v));
  }
}

// Where the gradient of a block's rows goes. `partial` [blocks, dim]: dscale's share of each block.
template <class DX>
struct NormGradients {
  bool accumulate;
  DX* dx;
  float* partial;
};

// The block's share of dscale from those of its rows' groups.
template <int kElements, int kWidth>
__device__ void StorePartial(const NormRows& rows, int thread,
                             const Floats<kWidth> (&sums)[kElements / kWidth], float* partial) {
  // Rows of several groups have at most kUsualElements columns a thread.
  __shared__ float shares[kUsualThreads * kUsualElements];
  const bool is_shared = rows.per_block > 1;
  const int group = static_cast<int>(threadIdx.x) / rows.threads;
  float* target = is_shared ? shares + group * rows.dim : partial;
#pragma unroll
  for (int v = 0; v < kElements / kWidth; ++v) {
    const int column = (v * rows.threads + thread) * kWidth;
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      if (column < rows.dim) target[column + i] = sums[v].at[i];
    }
  }
  if (!is_shared) return;
  __syncthreads();
  for (int column = static_cast<int>(threadIdx.x); column < rows.dim;
       column += static_cast<int>(blockDim.x)) {
    float sum = 0;
    for (int g = 0; g < rows.per_block; ++g) sum += shares[g * rows.dim + column];
    partial[column] = sum;
  }
}

template <int kElements, int kWidth, class X, class DY, class DX>
__global__ void __launch_bounds__(MaxThreads(kElements), BlocksAtATime(kElements))
    RmsNormGradKernel(NormRows rows, const DY* dy, const X* x, const float* scale,
                      const float* rstd, NormGradients<DX> out) {
  constexpr int kVectors = kElements / kWidth;
  const int thread = static_cast<int>(threadIdx.x) % rows.threads;
  const int group = static_cast<int>(threadIdx.x) / rows.threads;
  const auto column = [&](int v) { return (v * rows.threads + thread) * kWidth; };
  Floats<kWidth> dscale[kVectors];
  const int64_t stride = int64_t{gridDim.x} * rows.per_block;
  for (int64_t first = int64_t{blockIdx.x} * rows.per_block; first < rows.count; first += stride) {
    const int64_t row = first + group;
    const bool is_row = row < rows.count;
    const int64_t at = row * rows.dim;
    const float factor = is_row ? rstd[row] : 0.0f;
    Floats<kWidth> normalized[kVectors], upstream[kVectors];
    float dot = 0;
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
      const bool inside = is_row && column(v) < rows.dim;
      normalized[v] = LoadOrZero<kWidth>(x + at + column(v), inside);
      upstream[v] = LoadOrZero<kWidth>(dy + at + column(v), inside);
      const Floats<kWidth> weight = LoadOrZero<kWidth>(scale + column(v), inside);
#pragma unroll
      for (int i = 0; i < kWidth; ++i) {
        normalized[v].at[i] *= factor;
        dscale[v].at[i] += upstream[v].at[i] * normalized[v].at[i];
        upstream[v].at[i] *= weight.at[i];
        dot += upstream[v].at[i] * normalized[v].at[i];
      }
    }
    const float mean = RowSum(dot, rows.threads) / static_cast<float>(rows.dim);
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
      if (!is_row || column(v) >= rows.dim) break;
      DX* target = out.dx + at + column(v);
      Floats<kWidth> dx = LoadOrZero<kWidth>(target, out.accumulate);
#pragma unroll
      for (int i = 0; i < kWidth; ++i) {
        dx.at[i] += (upstream[v].at[i] - normalized[v].at[i] * mean) * factor;
      }
      StoreFloats(dx, target);
    }
  }
  StorePartial<kElements, kWidth>(rows, thread, dscale,
                                  out.partial + int64_t{blockIdx.x} * rows.dim);
}

constexpr int kSumRows = 32;  // threads of one column in the sum over the blocks' shares

// sums[column] += sum of `count` rows of partial [count, dim]. A warp reads 32 neighbouring
// columns.
__global__ void AddColumnSumsKernel(const float* partial, int64_t count, int64_t dim, float* sums) {
  __shared__ float shares[kSumRows][32];
  const int64_t column = int64_t{blockIdx.x} * 32 + threadIdx.x;
  float sum = 0;
  if (column < dim) {
    for (int64_t row = threadIdx.y; row < count; row += kSumRows)
      sum += partial[row * dim + column];
  }
  shares[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y > 0 || column >= dim) return;
  sum = 0;
  for (int row = 0; row < kSumRows; ++row) sum += shares[row][threadIdx.x];
  sums[column] += sum;
}

NormRows LayOut(ConstView x, int elements) {
  CHECK_LE(x.dim(1), int64_t{MaxThreads(elements)} * elements) << "rows of an RMS norm";
  NormRows rows = {
      .count = x.dim(0), .dim = static_cast<int>(x.dim(1)), .threads = 32, .per_block = 1};
  while (rows.threads * elements < rows.dim) rows.threads *= 2;
  rows.per_block = std::max(1, kUsualThreads / rows.threads);
  return rows;
}

unsigned ThreadsOf(const NormRows& rows) {
  return static_cast<unsigned>(rows.threads * rows.per_block);
}

// Calls `run` with the numbers of elements a thread keeps and loads at a time, as constants.
template <class Run>
void VisitRowForm(int64_t dim, bool wide_loads, const Run& run) {
  const auto with_elements = [&](auto elements) {
    if (wide_loads) return run(elements, std::integral_constant<int, 8>{});
    run(elements, std::integral_constant<int, 1>{});
  };
  if (dim <= int64_t{kUsualThreads} * kUsualElements) {
    return with_elements(std::integral_constant<int, kUsualElements>{});
  }
  with_elements(std::integral_constant<int, 2 * kUsualElements>{});
}

}  // namespace

void RmsNorm(Context& ctx, ConstView x, ConstView scale, float epsilon, View y, View rstd,
             View low) {
  const bool has_low = low.data != nullptr;
  const bool wide = HasRowsOfEight(x) && HasRowsOfEight(y) && (!has_low || HasRowsOfEight(low));
  VisitRowForm(x.dim(1), wide, [&](auto elements, auto width) {
    VisitGpuType(x.dtype, [&](auto in) {
      VisitGpuType(y.dtype, [&](auto out) {
        using In = decltype(in);
        using Out = decltype(out);
        const NormRows rows = LayOut(x, elements);
        const Grid grid = {
            .blocks = dim3(static_cast<unsigned>(DivideUp(rows.count, rows.per_block))),
            .threads = dim3(ThreadsOf(rows))};
        Launch(ctx, grid, RmsNormKernel<elements(), width(), In, Out>, rows, x.As<In>(),
               scale.As<float>(), epsilon, y.As<Out>(), has_low ? low.As<BFloat16>() : nullptr,
               rstd.As<float>());
      });
    });
  });
}

void RmsNormGrad(Context& ctx, ConstView dy, ConstView x, ConstView scale, ConstView rstd,
                 Write mode, View dx, View dscale) {
  if (x.num_elements() == 0) return;
  const bool wide = HasRowsOfEight(x) && HasRowsOfEight(dy) && HasRowsOfEight(dx);
  const auto launch = [&](auto elements, auto width, auto in, auto upstream, auto gradient) {
    using DX = decltype(gradient);
    const NormRows rows = LayOut(x, elements);
    const int64_t resident = int64_t{LimitsOf(ctx).num_multiprocessors} * BlocksAtATime(elements);
    const int64_t blocks = std::min(DivideUp(rows.count, rows.per_block), resident);
    Tensor partial(ctx, {blocks, rows.dim}, DType::kF32, MemoryKind::kWorkspace);
    const NormGradients<DX> out = {.accumulate = mode == Write::kAccumulate,
                                   .dx = dx.As<DX>(),
                                   .partial = partial.As<float>()};
    const Grid grid = {.blocks = dim3(static_cast<unsigned>(blocks)),
                       .threads = dim3(ThreadsOf(rows))};
    Launch(ctx, grid, RmsNormGradKernel<elements(), width(), decltype(in), decltype(upstream), DX>,
           rows, dy.As<decltype(upstream)>(), x.As<decltype(in)>(), scale.As<float>(),
           rstd.As<float>(), out);
    const Grid columns = {.blocks = dim3(static_cast<unsigned>(DivideUp(rows.dim, 32))),
                          .threads = dim3(32, kSumRows)};
    Launch(ctx, columns, AddColumnSumsKernel, partial.As<float>(), blocks, rows.dim,
           dscale.As<float>());
  };
  VisitRowForm(x.dim(1), wide, [&](auto elements, auto width) {
    VisitGpuType(x.dtype, [&](auto in) {
      VisitGpuType(dy.dtype, [&](auto upstream) {
        VisitGpuType(dx.dtype,
                     [&](auto gradient) { launch(elements, width, in, upstream, gradient); });
      });
    });
  });
}

}  // namespace frond::cuda
