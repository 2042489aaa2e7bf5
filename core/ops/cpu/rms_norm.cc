#include "core/ops/cpu/rms_norm.h"

#include <cmath>
#include <vector>

namespace frond::cpu {
namespace {

// Tokens are cut into this many parts whatever the number of threads, so that dscale is summed in
// one order.
constexpr int64_t kParts = 64;

template <class X, class Y>
void Forward(ConstView x_view, ConstView scale_view, float epsilon, View y_view, View rstd_view) {
  using A = Accumulator<X>;
  const int64_t tokens = x_view.dim(0), dim = x_view.dim(1);
  const X* x = x_view.As<X>();
  const A* scale = scale_view.As<A>();
  Y* y = y_view.As<Y>();
  A* rstd = rstd_view.As<A>();
#pragma omp parallel for
  for (int64_t t = 0; t < tokens; ++t) {
    A squares = 0;
    for (int64_t i = 0; i < dim; ++i) {
      const A value = static_cast<A>(x[t * dim + i]);
      squares += value * value;
    }
    const A r = A{1} / std::sqrt(squares / static_cast<A>(dim) + static_cast<A>(epsilon));
    rstd[t] = r;
    for (int64_t i = 0; i < dim; ++i) {
      y[t * dim + i] = static_cast<Y>(static_cast<A>(x[t * dim + i]) * r * scale[i]);
    }
  }
}

template <class X, class DY, class DX>
void Backward(ConstView dy_view, ConstView x_view, ConstView scale_view, ConstView rstd_view,
              Write mode, View dx_view, View dscale_view) {
  using A = Accumulator<X>;
  const int64_t tokens = x_view.dim(0), dim = x_view.dim(1);
  const DY* dy = dy_view.As<DY>();
  const X* x = x_view.As<X>();
  const A* scale = scale_view.As<A>();
  const A* rstd = rstd_view.As<A>();
  DX* dx = dx_view.As<DX>();
  A* dscale = dscale_view.As<A>();
  std::vector<A> partial(static_cast<size_t>(kParts * dim), A{0});
#pragma omp parallel for schedule(static)
  for (int64_t part = 0; part < kParts; ++part) {
    A* sums = partial.data() + part * dim;
    for (int64_t t = tokens * part / kParts; t < tokens * (part + 1) / kParts; ++t) {
      const A r = rstd[t];
      A dot = 0;
      for (int64_t i = 0; i < dim; ++i) {
        const A g = static_cast<A>(dy[t * dim + i]), v = static_cast<A>(x[t * dim + i]) * r;
        dot += g * scale[i] * v;
        sums[i] += g * v;
      }
      const A mean = dot / static_cast<A>(dim);
      for (int64_t i = 0; i < dim; ++i) {
        const A g = static_cast<A>(dy[t * dim + i]), v = static_cast<A>(x[t * dim + i]) * r;
        const A before = mode == Write::kAccumulate ? static_cast<A>(dx[t * dim + i]) : A{0};
        dx[t * dim + i] = static_cast<DX>(before + r * (g * scale[i] - v * mean));
      }
    }
  }
  for (int64_t part = 0; part < kParts; ++part) {
    for (int64_t i = 0; i < dim; ++i) dscale[i] += partial[part * dim + i];
  }
}

}  // namespace

void RmsNorm(Context&, ConstView x, ConstView scale, float epsilon, View y, View rstd) {
  if (x.dtype == DType::kF64) return Forward<double, double>(x, scale, epsilon, y, rstd);
  if (x.dtype == DType::kF32) {
    if (y.dtype == DType::kF32) return Forward<float, float>(x, scale, epsilon, y, rstd);
    return Forward<float, BFloat16>(x, scale, epsilon, y, rstd);
  }
  if (y.dtype == DType::kF32) return Forward<BFloat16, float>(x, scale, epsilon, y, rstd);
  return Forward<BFloat16, BFloat16>(x, scale, epsilon, y, rstd);
}

void RmsNormGrad(Context&, ConstView dy, ConstView x, ConstView scale, ConstView rstd, Write mode,
                 View dx, View dscale) {
  if (x.dtype == DType::kF64) {
    return Backward<double, double, double>(dy, x, scale, rstd, mode, dx, dscale);
  }
  const auto with_types = [&](auto x_type, auto dy_type) {
    using X = decltype(x_type);
    using DY = decltype(dy_type);
    if (dx.dtype == DType::kF32) {
      return Backward<X, DY, float>(dy, x, scale, rstd, mode, dx, dscale);
    }
    return Backward<X, DY, BFloat16>(dy, x, scale, rstd, mode, dx, dscale);
  };
  const bool dy_f32 = dy.dtype == DType::kF32;
  if (x.dtype == DType::kF32) {
    return dy_f32 ? with_types(float{}, float{}) : with_types(float{}, BFloat16{});
  }
  return dy_f32 ? with_types(BFloat16{}, float{}) : with_types(BFloat16{}, BFloat16{});
}

}  // namespace frond::cpu
