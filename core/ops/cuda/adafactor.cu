// The matrices' update: sums of squared gradients by row and column, the moments, sums of the
// update's and the parameter's squares, the update. Three passes over the matrix, all in the same
// tiles; what stands between them is small.
#include "core/ops/cuda/adafactor.h"
#include "core/ops/cuda/adafactor_plan.h"
#include "core/ops/cuda/adafactor_scale.cuh"
#include "core/ops/cuda/masters.cuh"

namespace frond::cuda {
namespace {

constexpr int kThreads = 32 * FactoredPlan::kWarps;
constexpr int kPerLane = FactoredPlan::kTileCols / 32;  // columns of a lane, in fours
constexpr int kFinishThreads = 1024;

template <class T>
struct Gradient {
  const T* g;

  bool IsAligned() const { return IsAlignedForFour(g); }
  __device__ __forceinline__ float Load(int64_t i) const { return ToFloat(g[i]); }
  __device__ __forceinline__ float4 LoadFour(int64_t i) const { return cuda::LoadFour(g + i); }
};

// A block's rows and a lane's columns: four from `col` + 128 k on, for k = 0 ... 3.
struct Tile {
  int64_t cols;
  int64_t row, last_row;  // of this warp; in steps of kWarps
  int64_t col;
  bool fours;  // whether fours of columns can be moved at once

  __device__ __forceinline__ Tile(const FactoredPlan& plan, bool fours)
      : cols(plan.cols), fours(fours) {
    const int64_t begin = int64_t{blockIdx.x} * plan.rows_each;
    row = begin + threadIdx.x / 32;
    last_row = begin + plan.rows_each < plan.rows ? begin + plan.rows_each : plan.rows;
    col = int64_t{blockIdx.y} * FactoredPlan::kTileCols + 4 * (threadIdx.x % 32);
  }

  // The lane's elements of row i; zeros beyond the last column.
  template <class Access>
  __device__ __forceinline__ void Load(const Access& from, int64_t i, float (&x)[kPerLane]) const {
#pragma unroll
    for (int k = 0; k < kPerLane; k += 4) {
      const int64_t c = col + 32 * k, at = i * cols + c;
      if (fours) {
        const float4 four = c < cols ? from.LoadFour(at) : make_float4(0, 0, 0, 0);
        x[k] = four.x, x[k + 1] = four.y, x[k + 2] = four.z, x[k + 3] = four.w;
      } else {
#pragma unroll
        for (int e = 0; e < 4; ++e) x[k + e] = c + e < cols ? from.Load(at + e) : 0.0f;
      }
    }
  }
  template <class Access>
  __device__ __forceinline__ void Store(const float (&x)[kPerLane], int64_t i,
                                        const Access& to) const {
#pragma unroll
    for (int k = 0; k < kPerLane; k += 4) {
      const int64_t c = col + 32 * k, at = i * cols + c;
      if (fours) {
        if (c < cols) to.StoreFour(make_float4(x[k], x[k + 1], x[k + 2], x[k + 3]), at);
      } else {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          if (c + e < cols) to.Store(x[k + e], at + e);
        }
      }
    }
  }
};

// Over tiles and blocks of rows.
struct PartialSums {
  double* rows;  // [col_tiles, rows]
  double* cols;  // [row_blocks, cols]
};

template <class Grad>
__global__ void __launch_bounds__(kThreads)
    SquareSumsKernel(FactoredPlan plan, Gradient<Grad> g, bool fours, PartialSums sums) {
  const Tile tile(plan, fours);
  const int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  double col_sums[kPerLane] = {};
  for (int64_t i = tile.row; i < tile.last_row; i += FactoredPlan::kWarps) {
    float x[kPerLane];
    tile.Load(g, i, x);
    double row_sum = 0;
#pragma unroll
    for (int k = 0; k < kPerLane; ++k) {
      const double square = static_cast<double>(x[k]) * static_cast<double>(x[k]);
      col_sums[k] += square;
      row_sum += square;
    }
    row_sum = WarpSum(row_sum);
    if (lane == 0) sums.rows[blockIdx.y * plan.rows + i] = row_sum;
  }
  __shared__ double of_warp[FactoredPlan::kWarps][FactoredPlan::kTileCols];
#pragma unroll
  for (int k = 0; k < kPerLane; ++k)
    of_warp[warp][32 * (k / 4 * 4) + 4 * lane + k % 4] = col_sums[k];
  __syncthreads();
  const int64_t first = int64_t{blockIdx.y} * FactoredPlan::kTileCols;
  for (int c = static_cast<int>(threadIdx.x); c < FactoredPlan::kTileCols; c += kThreads) {
    double sum = 0;
    for (int w = 0; w < FactoredPlan::kWarps; ++w) sum += of_warp[w][c];
    if (first + c < plan.cols) sums.cols[blockIdx.x * plan.cols + first + c] = sum;
  }
}

// Joins the partial sums. The first blocks take 1024 rows each, the others 32 columns each.
__global__ void __launch_bounds__(kFinishThreads)
    JoinSumsKernel(FactoredPlan plan, PartialSums sums, double* rows, double* cols) {
  const int64_t row_blocks = DivideUp(plan.rows, kFinishThreads);
  if (blockIdx.x < row_blocks) {
    const int64_t i = FirstItem();
    if (i >= plan.rows) return;
    double sum = 0;
    for (int64_t t = 0; t < plan.col_tiles; ++t) sum += sums.rows[t * plan.rows + i];
    rows[i] = sum;
    return;
  }
  __shared__ double of_warp[kFinishThreads / 32][33];
  const int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  const int64_t j = (blockIdx.x - row_blocks) * 32 + lane;
  double sum = 0;
  if (j < plan.cols) {
    for (int64_t b = warp; b < plan.row_blocks(); b += kFinishThreads / 32) {
      sum += sums.cols[b * plan.cols + j];
    }
  }
  of_warp[warp][lane] = sum;
  __syncthreads();
  if (warp != 0 || j >= plan.cols) return;
  sum = 0;
  for (int w = 0; w < kFinishThreads / 32; ++w) sum += of_warp[w][lane];
  cols[j] = sum;
}

// How sums become moments.
struct MomentRule {
  double decay, scale, epsilon;  // scale: of a sum of squares, before it is divided by the count

  __device__ __forceinline__ float Mix(float v, double sum, int64_t count) const {
    const double mean = scale * sum / static_cast<double>(count) + epsilon;
    return static_cast<float>(decay * static_cast<double>(v) + (1.0 - decay) * mean);
  }
};

// Moments and what they are made of: n of one dim, each a mean over `count` elements.
struct MomentsOfDim {
  const double* sums;
  float* v;
  int64_t n, count;
};

// The first blocks take 1024 rows each and leave their sums of v_row, the others 1024 columns each.
__global__ void __launch_bounds__(kFinishThreads)
    MomentsKernel(MomentRule rule, MomentsOfDim rows, MomentsOfDim cols, double* row_parts) {
  const int64_t row_blocks = DivideUp(rows.n, kFinishThreads);
  const bool is_row = blockIdx.x < row_blocks;
  const MomentsOfDim& dim = is_row ? rows : cols;
  const int64_t i = FirstItem() - (is_row ? 0 : row_blocks * kFinishThreads);
  double moment = 0;
  if (i < dim.n) {
    dim.v[i] = rule.Mix(dim.v[i], dim.sums[i], dim.count);
    moment = dim.v[i];
  }
  if (!is_row) return;
  moment = BlockSum<kFinishThreads>(moment);
  if (threadIdx.x == 0) row_parts[blockIdx.x] = moment;
}

// row_factor = gradient_scale sqrt(mean(v_row) / v_row), col_factor = 1 / sqrt(v_col).
struct FactorRule {
  double gradient_scale, whole_rows;
  const float* v_row;
  const float* v_col;
  const double* row_sum;

  FactorRule(const AdafactorStep& step, const FactoredMoments& moments)
      : gradient_scale(step.gradient_scale),
        whole_rows(static_cast<double>(step.whole_rows)),
        v_row(moments.row.As<float>()),
        v_col(moments.col.As<float>()),
        row_sum(moments.sum.As<double>()) {}

  __device__ __forceinline__ float OfRow(int64_t i) const {
    const double root = sqrt(*row_sum / whole_rows);
    return static_cast<float>(gradient_scale * root / sqrt(static_cast<double>(v_row[i])));
  }
  __device__ __forceinline__ float OfCol(int64_t j) const {
    return static_cast<float>(1.0 / sqrt(static_cast<double>(v_col[j])));
  }
};

// A block's factors, each made once.
class TileFactors {
 public:
  // Called by all threads of the block.
  __device__ __forceinline__ TileFactors(const FactorRule& rule, const Tile& tile) {
    __shared__ float of_col[FactoredPlan::kTileCols];
    const int64_t first = int64_t{blockIdx.y} * FactoredPlan::kTileCols;
    for (int c = static_cast<int>(threadIdx.x); c < FactoredPlan::kTileCols; c += kThreads) {
      of_col[c] = first + c < tile.cols ? rule.OfCol(first + c) : 0.0f;
    }
    __syncthreads();
    const int lane = static_cast<int>(threadIdx.x % 32);
#pragma unroll
    for (int k = 0; k < kPerLane; ++k) col[k] = of_col[32 * (k / 4 * 4) + 4 * lane + k % 4];
    // A warp has at most 32 rows: each lane keeps the factor of one.
    static_assert(FactoredPlan::kMostRows <= 32 * FactoredPlan::kWarps);
    const int64_t mine = tile.row + int64_t{lane} * FactoredPlan::kWarps;
    of_row_ = mine < tile.last_row ? rule.OfRow(mine) : 0.0f;
  }

  // Of the warp's n-th row.
  __device__ __forceinline__ float Row(int n) const { return __shfl_sync(0xFFFFFFFFu, of_row_, n); }

  float col[kPerLane];  // of the lane's columns; 0 beyond the last

 private:
  float of_row_;
};

template <class Grad, class Master>
__global__ void __launch_bounds__(kThreads)
    UpdateSumsKernel(FactoredPlan plan, Gradient<Grad> g, Master p, bool fours, FactorRule rule,
                     SquareParts parts) {
  const Tile tile(plan, fours);
  const TileFactors factors(rule, tile);
  double updates = 0, params = 0;
  int n = 0;
  for (int64_t i = tile.row; i < tile.last_row; i += FactoredPlan::kWarps, ++n) {
    float x[kPerLane], weight[kPerLane];
    tile.Load(g, i, x);
    tile.Load(p, i, weight);
    float update = 0, param = 0;
#pragma unroll
    for (int k = 0; k < kPerLane; ++k) {
      const float u = x[k] * factors.col[k];
      update += u * u;
      param += weight[k] * weight[k];
    }
    const double factor = factors.Row(n);
    updates += factor * factor * static_cast<double>(update);
    params += static_cast<double>(param);
  }
  updates = BlockSum<kThreads>(updates);
  params = BlockSum<kThreads>(params);
  if (threadIdx.x == 0) {
    const int64_t block = int64_t{blockIdx.y} * gridDim.x + blockIdx.x;
    parts.update()[block] = updates;
    parts.param()[block] = params;
  }
}

template <class Grad, class Master>
__global__ void __launch_bounds__(kThreads)
    ApplyKernel(FactoredPlan plan, Gradient<Grad> g, Master p, bool fours, FactorRule rule,
                ScaleRule scale_rule) {
  const Tile tile(plan, fours);
  const TileFactors factors(rule, tile);
  const double scale = scale_rule.Scale();
  int n = 0;
  for (int64_t i = tile.row; i < tile.last_row; i += FactoredPlan::kWarps, ++n) {
    float x[kPerLane], weight[kPerLane];
    tile.Load(g, i, x);
    tile.Load(p, i, weight);
    const auto row_scale = static_cast<float>(scale * static_cast<double>(factors.Row(n)));
#pragma unroll
    for (int k = 0; k < kPerLane; ++k) {
      weight[k] = scale_rule.keep * weight[k] - row_scale * x[k] * factors.col[k];
    }
    tile.Store(weight, i, p);
  }
}

Grid TilesOf(const FactoredPlan& plan) {
  return {.blocks =
              dim3(static_cast<unsigned>(plan.row_blocks()), static_cast<unsigned>(plan.col_tiles)),
          .threads = dim3(kThreads)};
}

Grid FinishGrid(int64_t blocks) {
  return {.blocks = dim3(static_cast<unsigned>(blocks)), .threads = dim3(kFinishThreads)};
}

}  // namespace

void AdafactorSquareSums(Context& ctx, ConstView grad, const FactoredSums& sums) {
  const FactoredPlan plan(grad.dim(0), grad.dim(1));
  const int64_t of_rows = plan.col_tiles * plan.rows;
  Tensor memory(ctx, {of_rows + plan.row_blocks() * plan.cols}, DType::kF64,
                MemoryKind::kWorkspace);
  const PartialSums parts = {memory.As<double>(), memory.As<double>() + of_rows};
  VisitGpuType(grad.dtype, [&](auto element) {
    using Grad = decltype(element);
    const Gradient<Grad> g{grad.As<Grad>()};
    const bool fours = plan.cols % 4 == 0 && g.IsAligned();
    Launch(ctx, TilesOf(plan), SquareSumsKernel<Grad>, plan, g, fours, parts);
  });
  Launch(ctx, FinishGrid(DivideUp(plan.rows, kFinishThreads) + DivideUp(plan.cols, 32)),
         JoinSumsKernel, plan, parts, sums.rows.As<double>(), sums.cols.As<double>());
}

void AdafactorMoments(Context& ctx, const FactoredSums& sums, const AdafactorStep& step,
                      const FactoredMoments& moments) {
  const MomentsOfDim rows = {sums.rows.As<double>(), moments.row.As<float>(),
                             sums.rows.num_elements(), step.whole_cols};
  const MomentsOfDim cols = {sums.cols.As<double>(), moments.col.As<float>(),
                             sums.cols.num_elements(), step.whole_rows};
  const MomentRule rule = {step.decay, step.gradient_scale * step.gradient_scale, step.epsilon};
  const int64_t row_blocks = DivideUp(rows.n, kFinishThreads);
  Tensor parts(ctx, {row_blocks}, DType::kF64, MemoryKind::kWorkspace);
  Launch(ctx, FinishGrid(row_blocks + DivideUp(cols.n, kFinishThreads)), MomentsKernel, rule, rows,
         cols, parts.As<double>());
  LaunchJoinParts(ctx, parts.As<double>(), row_blocks, moments.sum);
}

void AdafactorFactoredSquares(Context& ctx, ConstView grad, const AdafactorStep& step,
                              const FactoredMoments& moments, const MasterView& master,
                              View squares) {
  const FactoredPlan plan(grad.dim(0), grad.dim(1));
  const SquarePartsMemory memory(ctx, plan.blocks());
  VisitGpuType(grad.dtype, [&](auto element) {
    using Grad = decltype(element);
    VisitMaster(master, step.rounding_key, step.numbers, [&](auto p) {
      using Master = decltype(p);
      const Gradient<Grad> g{grad.As<Grad>()};
      const bool fours = plan.cols % 4 == 0 && g.IsAligned() && p.IsAligned();
      Launch(ctx, TilesOf(plan), UpdateSumsKernel<Grad, Master>, plan, g, p, fours,
             FactorRule(step, moments), memory.parts());
    });
  });
  memory.Join(ctx, squares);
}

void AdafactorApplyFactored(Context& ctx, ConstView grad, const AdafactorStep& step,
                            const FactoredMoments& moments, ConstView squares,
                            const MasterView& master) {
  const FactoredPlan plan(grad.dim(0), grad.dim(1));
  VisitGpuType(grad.dtype, [&](auto element) {
    using Grad = decltype(element);
    VisitMaster(master, step.rounding_key, step.numbers, [&](auto p) {
      using Master = decltype(p);
      const Gradient<Grad> g{grad.As<Grad>()};
      const bool fours = plan.cols % 4 == 0 && g.IsAligned() && p.IsAligned();
      Launch(ctx, TilesOf(plan), ApplyKernel<Grad, Master>, plan, g, p, fours,
             FactorRule(step, moments), ScaleRule(step, squares));
    });
  });
}

}  // namespace frond::cuda
