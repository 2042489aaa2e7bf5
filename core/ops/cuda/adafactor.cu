// The matrices' update: sums of squared gradients by row and column, the moments and their factors,
// sums of the update's and the parameter's squares, the update. Three passes over the matrix, all
// in the same tiles; what stands between them is small.
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

// What the passes leave for each other.
struct Workspace {
  double* row_sums;     // [col_tiles, rows]: of squares, over a tile's columns
  double* col_sums;     // [row_blocks, cols]: over a block's rows
  double* moment_sums;  // [finish_row_blocks]: of v_row
  SquareParts squares;  // [blocks]
  double* scale;        // [1]
  float* row_factor;    // [rows]
  float* col_factor;    // [cols]
};

template <class Grad>
__global__ void __launch_bounds__(kThreads)
    SquareSumsKernel(FactoredPlan plan, Gradient<Grad> g, bool fours, Workspace space) {
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
    if (lane == 0) space.row_sums[blockIdx.y * plan.rows + i] = row_sum;
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
    if (first + c < plan.cols) space.col_sums[blockIdx.x * plan.cols + first + c] = sum;
  }
}

// How sums become moments.
struct MomentRule {
  double decay, scale, epsilon;  // scale: of a sum of squares, before it is divided by the count

  __device__ __forceinline__ float Mix(float v, double sum, int64_t count) const {
    const double mean = scale * sum / static_cast<double>(count) + epsilon;
    return static_cast<float>(decay * static_cast<double>(v) + (1.0 - decay) * mean);
  }
};

// The moments. The first blocks take 1024 rows each, the others 32 columns each.
__global__ void __launch_bounds__(kFinishThreads)
    MomentsKernel(FactoredPlan plan, MomentRule rule, Workspace space, float* v_row, float* v_col) {
  const int64_t row_blocks = DivideUp(plan.rows, kFinishThreads);
  if (blockIdx.x < row_blocks) {
    const int64_t i = FirstItem();
    double moment = 0;
    if (i < plan.rows) {
      double sum = 0;
      for (int64_t t = 0; t < plan.col_tiles; ++t) sum += space.row_sums[t * plan.rows + i];
      v_row[i] = rule.Mix(v_row[i], sum, plan.cols);
      moment = v_row[i];
    }
    moment = BlockSum<kFinishThreads>(moment);
    if (threadIdx.x == 0) space.moment_sums[blockIdx.x] = moment;
    return;
  }
  __shared__ double of_warp[kFinishThreads / 32][33];
  const int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  const int64_t j = (blockIdx.x - row_blocks) * 32 + lane;
  double sum = 0;
  if (j < plan.cols) {
    for (int64_t b = warp; b < plan.row_blocks(); b += kFinishThreads / 32) {
      sum += space.col_sums[b * plan.cols + j];
    }
  }
  of_warp[warp][lane] = sum;
  __syncthreads();
  if (warp != 0 || j >= plan.cols) return;
  sum = 0;
  for (int w = 0; w < kFinishThreads / 32; ++w) sum += of_warp[w][lane];
  v_col[j] = rule.Mix(v_col[j], sum, plan.rows);
  space.col_factor[j] = static_cast<float>(1.0 / sqrt(static_cast<double>(v_col[j])));
}

// row_factor = gradient_scale sqrt(mean(v_row) / v_row).
__global__ void __launch_bounds__(kThreads)
    RowFactorsKernel(int64_t rows, double gradient_scale, Workspace space, const float* v_row) {
  double sum = 0;
  const int64_t parts = DivideUp(rows, kFinishThreads);
  for (int64_t b = threadIdx.x; b < parts; b += kThreads) sum += space.moment_sums[b];
  const double root = sqrt(BlockSum<kThreads>(sum) / static_cast<double>(rows));
  const int64_t i = FirstItem();
  if (i >= rows) return;
  space.row_factor[i] =
      static_cast<float>(gradient_scale * root / sqrt(static_cast<double>(v_row[i])));
}

template <class Grad, class Master>
__global__ void __launch_bounds__(kThreads)
    UpdateSumsKernel(FactoredPlan plan, Gradient<Grad> g, Master p, bool fours, Workspace space) {
  const Tile tile(plan, fours);
  float col_factor[kPerLane];
  tile.Load(Gradient<float>{space.col_factor}, 0, col_factor);
  double updates = 0, params = 0;
  for (int64_t i = tile.row; i < tile.last_row; i += FactoredPlan::kWarps) {
    float x[kPerLane], weight[kPerLane];
    tile.Load(g, i, x);
    tile.Load(p, i, weight);
    float update = 0, param = 0;
#pragma unroll
    for (int k = 0; k < kPerLane; ++k) {
      const float u = x[k] * col_factor[k];
      update += u * u;
      param += weight[k] * weight[k];
    }
    const double factor = space.row_factor[i];
    updates += factor * factor * static_cast<double>(update);
    params += static_cast<double>(param);
  }
  updates = BlockSum<kThreads>(updates);
  params = BlockSum<kThreads>(params);
  if (threadIdx.x == 0) {
    const int64_t block = int64_t{blockIdx.y} * gridDim.x + blockIdx.x;
    space.squares.update[block] = updates;
    space.squares.param[block] = params;
  }
}

template <class Grad, class Master>
__global__ void __launch_bounds__(kThreads)
    ApplyKernel(FactoredPlan plan, Gradient<Grad> g, Master p, bool fours, float keep,
                Workspace space) {
  const Tile tile(plan, fours);
  float col_factor[kPerLane];
  tile.Load(Gradient<float>{space.col_factor}, 0, col_factor);
  const double scale = *space.scale;
  for (int64_t i = tile.row; i < tile.last_row; i += FactoredPlan::kWarps) {
    float x[kPerLane], weight[kPerLane];
    tile.Load(g, i, x);
    tile.Load(p, i, weight);
    const auto row_scale = static_cast<float>(scale * static_cast<double>(space.row_factor[i]));
#pragma unroll
    for (int k = 0; k < kPerLane; ++k) {
      weight[k] = keep * weight[k] - row_scale * x[k] * col_factor[k];
    }
    tile.Store(weight, i, p);
  }
}

// Device memory for a Workspace, in one piece.
class WorkspaceMemory {
 public:
  WorkspaceMemory(Context& ctx, const FactoredPlan& plan) {
    const int64_t moments = DivideUp(plan.rows, kFinishThreads), blocks = plan.blocks();
    const int64_t sums = plan.col_tiles * plan.rows + plan.row_blocks() * plan.cols;
    // Columns first among the factors: they are read in fours.
    const int64_t factors = DivideUp(plan.cols + plan.rows, 2) + 1;
    memory_ = Tensor(ctx, {sums + moments + 2 * blocks + 1 + factors}, DType::kF64,
                     MemoryKind::kWorkspace);
    double* next = memory_.As<double>();
    const auto take = [&next](int64_t count) {
      double* taken = next;
      next += count;
      return taken;
    };
    // 16-byte aligned, as the memory's beginning is.
    space_.col_factor = reinterpret_cast<float*>(take(factors));
    space_.row_factor = space_.col_factor + plan.cols;
    space_.row_sums = take(plan.col_tiles * plan.rows);
    space_.col_sums = take(plan.row_blocks() * plan.cols);
    space_.moment_sums = take(moments);
    space_.squares.update = take(blocks);
    space_.squares.param = take(blocks);
    space_.squares.count = blocks;
    space_.scale = take(1);
  }
  const Workspace& space() const { return space_; }

 private:
  Tensor memory_;
  Workspace space_;
};

}  // namespace

void AdafactorUpdateFactored(Context& ctx, ConstView grad, const AdafactorStep& step, View v_row,
                             View v_col, const MasterView& master) {
  const FactoredPlan plan(grad.dim(0), grad.dim(1));
  const WorkspaceMemory memory(ctx, plan);
  const Workspace& space = memory.space();
  const Grid tiles = {.blocks = dim3(static_cast<unsigned>(plan.row_blocks()),
                                     static_cast<unsigned>(plan.col_tiles)),
                      .threads = dim3(kThreads)};
  const int64_t finish_blocks = DivideUp(plan.rows, kFinishThreads) + DivideUp(plan.cols, 32);
  const MomentRule moments = {step.decay, step.gradient_scale * step.gradient_scale, step.epsilon};
  VisitGpuType(grad.dtype, [&](auto element) {
    using Grad = decltype(element);
    VisitMaster(master, step.rounding_key, [&](auto p) {
      using Master = decltype(p);
      const Gradient<Grad> g{grad.As<Grad>()};
      const bool fours = plan.cols % 4 == 0 && g.IsAligned() && p.IsAligned();
      Launch(ctx, tiles, SquareSumsKernel<Grad>, plan, g, fours, space);
      Launch(
          ctx,
          {.blocks = dim3(static_cast<unsigned>(finish_blocks)), .threads = dim3(kFinishThreads)},
          MomentsKernel, plan, moments, space, v_row.As<float>(), v_col.As<float>());
      Launch(ctx,
             {.blocks = dim3(static_cast<unsigned>(DivideUp(plan.rows, kThreads))),
              .threads = dim3(kThreads)},
             RowFactorsKernel, plan.rows, step.gradient_scale, space, v_row.As<float>());
      Launch(ctx, tiles, UpdateSumsKernel<Grad, Master>, plan, g, p, fours, space);
      LaunchScale(ctx, ScaleRule(step, plan.rows * plan.cols), space.squares, space.scale);
      Launch(ctx, tiles, ApplyKernel<Grad, Master>, plan, g, p, fours,
             static_cast<float>(step.keep), space);
    });
  });
}

}  // namespace frond::cuda
