// One pass, eight elements at a time. (1 + tanh(u)) / 2 = 1 / (1 + e^(-2u)): one exponential, and
// no cancellation where the gate is very negative.
#include "core/ops/cuda/gated_gelu.h"
#include "core/ops/cuda/vectors.cuh"

namespace frond::cuda {
namespace {

constexpr float kTwiceFactor = 1.5957691216057308f;  // 2 sqrt(2 / pi)
constexpr float kCubic = 0.044715f;

// e^(-2u) and 1 / (1 + e^(-2u)), which becomes 0 before the exponential overflows.
struct Sigmoid {
  float exponential, value;
};
__device__ __forceinline__ Sigmoid SigmoidOf(float gate) {
  constexpr float kMost = 85;
  const float x = -kTwiceFactor * gate * (1 + kCubic * gate * gate);
  const float exponential = expf(x > kMost ? kMost : x);  // not fminf, which would lose a NaN
  return {exponential, x > kMost ? 0.0f : __fdividef(1.0f, 1.0f + exponential)};
}

// Where a thread's runs of kWidth neighbouring elements lie. y and dy have `columns` elements a
// row; the others lie `pitch` apart.
struct GateRows {
  int64_t rows, columns, pitch;
};
template <int kWidth>
class RunsOfThread {
 public:
  __device__ explicit RunsOfThread(const GateRows& shape)
      : shape_(shape),
        runs_(shape.columns / kWidth),
        row_(FirstItem() / runs_),
        run_(FirstItem() % runs_),
        row_step_(ItemStride() / runs_),
        run_step_(ItemStride() % runs_) {}
  __device__ bool HasOne() const { return row_ < shape_.rows; }
  __device__ int64_t dense() const { return row_ * shape_.columns + run_ * kWidth; }
  __device__ int64_t pitched() const { return row_ * shape_.pitch + run_ * kWidth; }
  __device__ void Next() {
    row_ += row_step_;
    run_ += run_step_;
    if (run_ >= runs_) run_ -= runs_, ++row_;
  }

 private:
  GateRows shape_;
  int64_t runs_, row_, run_, row_step_, run_step_;
};

template <int kWidth, class T, class Out>
__global__ void GatedGeluKernel(GateRows shape, const T* gate, const T* up, Out* y) {
  for (RunsOfThread<kWidth> at(shape); at.HasOne(); at.Next()) {
    Floats<kWidth> g = LoadFloats<kWidth>(gate + at.pitched());
    const Floats<kWidth> u = LoadFloats<kWidth>(up + at.pitched());
#pragma unroll
    for (int i = 0; i < kWidth; ++i) g.at[i] *= SigmoidOf(g.at[i]).value * u.at[i];
    StoreFloats(g, y + at.dense());
  }
}

template <class T, class Out>
struct GateGradient {
  const Out* dy;
  const T *gate, *up;
  Out *dgate, *dup;
};

template <int kWidth, class T, class Out>
__global__ void GatedGeluGradKernel(GateRows shape, GateGradient<T, Out> p) {
  constexpr float kCubicSlope = 3 * kCubic * kTwiceFactor;
  for (RunsOfThread<kWidth> at(shape); at.HasOne(); at.Next()) {
    const int64_t pitched = at.pitched();
    const Floats<kWidth> dy = LoadFloats<kWidth>(p.dy + at.dense());
    Floats<kWidth> g = LoadFloats<kWidth>(p.gate + pitched), u = LoadFloats<kWidth>(p.up + pitched);
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      const float gate = g.at[i];
      const auto [exponential, s] = SigmoidOf(gate);
      const float slope =
          s + gate * s * (exponential * s) * (gate * gate * kCubicSlope + kTwiceFactor);
      g.at[i] = dy.at[i] * u.at[i] * slope;
      u.at[i] = dy.at[i] * gate * s;
    }
    StoreFloats(g, p.dgate + pitched);
    StoreFloats(u, p.dup + pitched);
  }
}

// Dense rows are one long row.
GateRows ShapeOf(ConstColumns gate) {
  if (gate.is_dense()) return {1, gate.num_elements(), gate.num_elements()};
  return {gate.rows, gate.columns, gate.pitch};
}

// Whether all rows can be read eight elements at a time.
template <class... Operands>
bool HaveEights(const Operands&... operands) {
  return (HasRowsOfEight(operands) && ...);
}

}  // namespace

void GatedGelu(Context& ctx, ConstColumns gate, ConstColumns up, View y) {
  if (gate.num_elements() == 0) return;
  VisitGpuTypes(gate.dtype, y.dtype, [&](auto in, auto out) {
    using T = decltype(in);
    using Out = decltype(out);
    const GateRows shape = ShapeOf(gate);
    const bool eights = HaveEights(gate, up, y);
    Launch(ctx, GridFor(ctx, gate.num_elements() / (eights ? 8 : 1)),
           eights ? GatedGeluKernel<8, T, Out> : GatedGeluKernel<1, T, Out>, shape, gate.As<T>(),
           up.As<T>(), y.As<Out>());
  });
}

void GatedGeluGrad(Context& ctx, ConstView dy, ConstColumns gate, ConstColumns up, Columns dgate,
                   Columns dup) {
  if (gate.num_elements() == 0) return;
  VisitGpuTypes(gate.dtype, dy.dtype, [&](auto in, auto out) {
    using T = decltype(in);
    using Out = decltype(out);
    const GateRows shape = ShapeOf(gate);
    const GateGradient<T, Out> p = {.dy = dy.As<Out>(),
                                    .gate = gate.As<T>(),
                                    .up = up.As<T>(),
                                    .dgate = dgate.As<Out>(),
                                    .dup = dup.As<Out>()};
    const bool eights = HaveEights(dy, gate, up, dgate, dup);
    Launch(ctx, GridFor(ctx, gate.num_elements() / (eights ? 8 : 1)),
           eights ? GatedGeluGradKernel<8, T, Out> : GatedGeluGradKernel<1, T, Out>, shape, p);
  });
}

}  // namespace frond::cuda
