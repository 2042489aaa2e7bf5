#include "core/ops/cuda/matmul.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "core/ops/cuda/cublas_products.h"
#include "core/ops/cuda/elementwise.h"
#include "core/ops/cuda/master.h"
#include "core/tensor/cuda/runtime.h"
#include "core/tensor/transfer.h"

namespace frond::cuda {
namespace {

struct LeftOperand {
  ConstColumns matrix;
  Trans trans;
};

ProductKey MakeKey(const LeftOperand& a, Trans trans_b, DType result, int64_t n) {
  const bool across = a.trans == Trans::kYes;
  ProductKey key;
  key.m = across ? a.matrix.columns : a.matrix.rows;
  key.n = n;
  key.k = across ? a.matrix.rows : a.matrix.columns;
  key.a_pitch = a.matrix.pitch;
  key.operand = a.matrix.dtype;
  key.result = result;
  key.trans_a = a.trans;
  key.trans_b = trans_b;
  return key;
}

constexpr double kPeakSeconds = 0.4;
constexpr int kRunsPerTiming = 8;

// Values whose bits are as mixed as a model's: equal ones take less power, and a GPU's clock rises.
void FillWithNoise(Context& ctx, View x) {
  const int64_t height = std::min<int64_t>(x.dim(0), 64), width = x.dim(1);
  std::vector<float> values(static_cast<size_t>(height * width));
  uint32_t state = 1;
  for (float& value : values) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(state >> 8) * 0x1p-23f - 1.0f;
  }
  Tensor stripe(ctx, {height, width}, DType::kF32, MemoryKind::kWorkspace);
  CopyFromHost(ctx, values.data(), stripe);
  for (int64_t row = 0; row < x.dim(0); row += height) {
    const int64_t rows = std::min(height, x.dim(0) - row);
    Cast(ctx, Rows(stripe.view(), 0, rows), Rows(x, row, row + rows));
  }
}

}  // namespace

void MatMul(Context& ctx, ConstColumns a, Trans trans_a, ConstView b, Trans trans_b, Write mode,
            View c) {
  if (mode == Write::kAccumulate) return cuda::MatMulAdd(ctx, a, trans_a, b, trans_b, c, c);
  const ProductKey key = MakeKey({a, trans_a}, trans_b, c.dtype, c.dim(1));
  if (c.num_elements() == 0) return;
  if (key.k == 0) return Fill(ctx, 0.0, c);
  ctx.Backend<CublasProducts>().Run(ctx, key, {a.data, b.data, c.data, c.data});
}

void MatMulAdd(Context& ctx, ConstColumns a, Trans trans_a, ConstView b, Trans trans_b,
               ConstView addend, View c) {
  ProductKey key = MakeKey({a, trans_a}, trans_b, c.dtype, c.dim(1));
  if (c.num_elements() == 0) return;
  if (key.k == 0) return Copy(ctx, addend, c);
  key.mode = Write::kAccumulate;
  ctx.Backend<CublasProducts>().Run(ctx, key, {a.data, b.data, addend.data, c.data});
}

void PackWeight(Context& ctx, ConstView weight, Trans trans, DType dtype, PackedWeight& packed) {
  packed.weight_shape_ = weight.shape;
  packed.dtype_ = dtype;
  packed.trans_ = trans;
  packed.is_plain_ = true;
  Tensor& storage = packed.storage_;
  if (storage.empty() || storage.shape() != weight.shape || storage.dtype() != dtype) {
    storage.Reset();
    storage = Tensor(ctx, weight.shape, dtype, MemoryKind::kComputeWeights);
  }
  weight.dtype == dtype ? cuda::Cast(ctx, weight, storage)
                        : cuda::WriteMaster(ctx, weight, {storage});
}

void MatMulPacked(Context& ctx, ConstView a, const PackedWeight& weight, Trans trans, Write mode,
                  View c) {
  cuda::MatMul(ctx, a, Trans::kNo, weight.storage_, trans, mode, c);
}

void MatMulPackedAdd(Context& ctx, ConstView a, const PackedWeight& weight, Trans trans,
                     ConstView addend, View c) {
  cuda::MatMulAdd(ctx, a, Trans::kNo, weight.storage_, trans, addend, c);
}

// Of products whose square result has a side that is a multiple of the usual tiles and grows with
// the number of multiprocessors.
double MeasureMatMulPeak(Context& ctx, DType dtype) {
  using Clock = std::chrono::steady_clock;
  const int64_t side = int64_t{64} * LimitsOf(ctx).num_multiprocessors;
  const int64_t terms = side / 2;
  Tensor a(ctx, {side, terms}, dtype, MemoryKind::kWorkspace);
  Tensor b(ctx, {side, terms}, dtype, MemoryKind::kWorkspace);
  Tensor c(ctx, {side, side}, dtype, MemoryKind::kWorkspace);
  FillWithNoise(ctx, a);
  FillWithNoise(ctx, b);
  const auto multiply = [&] {
    cuda::MatMul(ctx, a, Trans::kNo, b, Trans::kYes, Write::kAssign, c);
  };
  multiply();
  ctx.memory().Synchronize();

  double total = 0, best = 1e30;
  while (total < kPeakSeconds) {
    const Clock::time_point begin = Clock::now();
    for (int run = 0; run < kRunsPerTiming; ++run) multiply();
    ctx.memory().Synchronize();
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    best = std::min(best, seconds / kRunsPerTiming);
    total += seconds;
  }
  return 2.0 * static_cast<double>(side * side) * static_cast<double>(terms) / best * 1e-9;
}

MatMulPlanCounts CountMatMulPlans(Context& ctx) {
  const auto& products = ctx.Backend<CublasProducts>();
  return {.plans = products.num_plans(), .measured = products.num_measured()};
}

}  // namespace frond::cuda
