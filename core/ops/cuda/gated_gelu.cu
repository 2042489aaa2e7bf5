// One pass, eight elements a thread. (1 + tanh(u)) / 2 = 1 / (1 + e^(-2u)): one exponential, and no
// cancellation where the gate is very negative.
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

template <int kWidth, class T>
__device__ void Gate(const T* gate, const T* up, T* y) {
  Floats<kWidth> g = LoadFloats<kWidth>(gate);
  const Floats<kWidth> u = LoadFloats<kWidth>(up);
#pragma unroll
  for (int i = 0; i < kWidth; ++i) g.at[i] *= SigmoidOf(g.at[i]).value * u.at[i];
  StoreFloats(g, y);
}

template <class T>
__global__ void GatedGeluKernel(const T* gate, const T* up, int64_t eights, int64_t n, T* y) {
  for (int64_t i = FirstItem(); i < eights; i += ItemStride()) {
    Gate<8>(gate + 8 * i, up + 8 * i, y + 8 * i);
  }
  for (int64_t i = 8 * eights + FirstItem(); i < n; i += ItemStride()) {
    Gate<1>(gate + i, up + i, y + i);
  }
}

template <class T>
struct GateGradient {
  const T *dy, *gate, *up;
  T *dgate, *dup;
};

template <int kWidth, class T>
__device__ void GateGrad(const GateGradient<T>& p, int64_t at) {
  constexpr float kCubicSlope = 3 * kCubic * kTwiceFactor;
  const Floats<kWidth> dy = LoadFloats<kWidth>(p.dy + at);
  Floats<kWidth> g = LoadFloats<kWidth>(p.gate + at), u = LoadFloats<kWidth>(p.up + at);
#pragma unroll
  for (int i = 0; i < kWidth; ++i) {
    const float gate = g.at[i];
    const auto [exponential, s] = SigmoidOf(gate);
    const float slope =
        s + gate * s * (exponential * s) * (gate * gate * kCubicSlope + kTwiceFactor);
    g.at[i] = dy.at[i] * u.at[i] * slope;
    u.at[i] = dy.at[i] * gate * s;
  }
  StoreFloats(g, p.dgate + at);
  StoreFloats(u, p.dup + at);
}

template <class T>
__global__ void GatedGeluGradKernel(GateGradient<T> p, int64_t eights, int64_t n) {
  for (int64_t i = FirstItem(); i < eights; i += ItemStride()) GateGrad<8>(p, 8 * i);
  for (int64_t i = 8 * eights + FirstItem(); i < n; i += ItemStride()) GateGrad<1>(p, i);
}

// Vectors of eight in `n` elements that start at each of `pointers`.
template <class... T>
int64_t Eights(int64_t n, const T*... pointers) {
  return ((reinterpret_cast<uintptr_t>(pointers) % 16 == 0) && ...) ? n / 8 : 0;
}

}  // namespace

void GatedGelu(Context& ctx, ConstView gate, ConstView up, View y) {
  VisitGpuType(gate.dtype, [&](auto type) {
    using T = decltype(type);
    const int64_t n = gate.num_elements();
    const int64_t eights = Eights(n, gate.As<T>(), up.As<T>(), y.As<T>());
    Launch(ctx, GridFor(ctx, eights > 0 ? eights : n), GatedGeluKernel<T>, gate.As<T>(), up.As<T>(),
           eights, n, y.As<T>());
  });
}

void GatedGeluGrad(Context& ctx, ConstView dy, ConstView gate, ConstView up, View dgate, View dup) {
  VisitGpuType(gate.dtype, [&](auto type) {
    using T = decltype(type);
    const int64_t n = gate.num_elements();
    const GateGradient<T> p = {.dy = dy.As<T>(),
                               .gate = gate.As<T>(),
                               .up = up.As<T>(),
                               .dgate = dgate.As<T>(),
                               .dup = dup.As<T>()};
    const int64_t eights = Eights(n, p.dy, p.gate, p.up, p.dgate, p.dup);
    Launch(ctx, GridFor(ctx, eights > 0 ? eights : n), GatedGeluGradKernel<T>, p, eights, n);
  });
}

}  // namespace frond::cuda
