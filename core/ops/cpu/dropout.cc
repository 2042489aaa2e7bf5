#include "core/ops/cpu/dropout.h"

namespace frond::cpu {
namespace {

// out = dropout(x) (+ residual, where not null).
template <class X, class R>
void Apply(ConstView x_view, const DropoutSpec& spec, const R* residual, View out_view) {
  using A = Accumulator<X>;
  const int64_t tokens = x_view.dim(0), dim = x_view.dim(1);
  const X* x = x_view.As<X>();
  R* out = out_view.As<R>();
  const A scale = A{1} / (A{1} - static_cast<A>(spec.rate));
#pragma omp parallel for
  for (int64_t t = 0; t < tokens; ++t) {
    for (int64_t i = 0; i < dim; ++i) {
      const bool keep = spec.rate == 0 || DropoutKeeps(spec.key, spec.token_keys[t], i, spec.rate);
      const int64_t at = t * dim + i;
      const A value = keep ? static_cast<A>(x[at]) * scale : A{0};
      out[at] = static_cast<R>(residual == nullptr ? value : static_cast<A>(residual[at]) + value);
    }
  }
}

}  // namespace

void Dropout(Context&, ConstView x, const DropoutSpec& spec, View y) {
  VisitFloatType(x.dtype, [&](auto type) {
    using T = decltype(type);
    Apply<T, T>(x, spec, nullptr, y);
  });
}

void DropoutAdd(Context&, ConstView x, const DropoutSpec& spec, ConstView residual, View out) {
  const auto with_residual = [&](auto x_type, auto residual_type) {
    using R = decltype(residual_type);
    Apply<decltype(x_type), R>(x, spec, residual.As<R>(), out);
  };
  if (x.dtype == DType::kF64) return with_residual(double{}, double{});
  const bool out_f32 = out.dtype == DType::kF32;
  if (x.dtype == DType::kF32) {
    return out_f32 ? with_residual(float{}, float{}) : with_residual(float{}, BFloat16{});
  }
  return out_f32 ? with_residual(BFloat16{}, float{}) : with_residual(BFloat16{}, BFloat16{});
}

}  // namespace frond::cpu
