#include "core/ops/cpu/gated_gelu.h"

#include <cmath>

namespace frond::cpu {
namespace {

constexpr double kSqrtTwoOverPi = 0.7978845608028653558799;
constexpr double kCubic = 0.044715;

template <class T>
T TanhArgument(T g) {
  return static_cast<T>(kSqrtTwoOverPi) * (g + static_cast<T>(kCubic) * g * g * g);
}

}  // namespace

void GatedGelu(Context &, ConstView gate, ConstView up, View y) {
  VisitFloatType(gate.dtype, [&](auto type) {
    using T = decltype(type);
    using A = Accumulator<T>;
    const T *g = gate.As<T>(), *u = up.As<T>();
    T *out = y.As<T>();
    const int64_t count = gate.num_elements();
#pragma omp parallel for
    for (int64_t i = 0; i < count; ++i) {
      const A x = static_cast<A>(g[i]);
      out[i] = static_cast<T>(x / 2 * (1 + std::tanh(TanhArgument(x))) * static_cast<A>(u[i]));
    }
  });
}

void GatedGeluGrad(Context &, ConstView dy, ConstView gate, ConstView up, View dgate, View dup) {
  VisitFloatType(gate.dtype, [&](auto type) {
    using T = decltype(type);
    using A = Accumulator<T>;
    const T *g = gate.As<T>(), *u = up.As<T>(), *d = dy.As<T>();
    T *dg = dgate.As<T>(), *du = dup.As<T>();
    const int64_t count = gate.num_elements();
#pragma omp parallel for
    for (int64_t i = 0; i < count; ++i) {
      const A x = static_cast<A>(g[i]), upstream = static_cast<A>(d[i]);
      const A t = std::tanh(TanhArgument(x));
      const A slope = static_cast<A>(kSqrtTwoOverPi) * (1 + 3 * static_cast<A>(kCubic) * x * x);
      const A derivative = (1 + t) / 2 + x / 2 * (1 - t * t) * slope;
      const A gelu = x / 2 * (1 + t);
      dg[i] = static_cast<T>(upstream * static_cast<A>(u[i]) * derivative);
      du[i] = static_cast<T>(upstream * gelu);
    }
  });
}

}  // namespace frond::cpu
