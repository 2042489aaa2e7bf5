// Root-mean-square layer normalisation without mean subtraction or bias (Zhang and Sennrich, 2019),
// as T5 uses it.
#pragma once

#include "core/ops/matmul.h"
#include "core/tensor/tensor.h"

namespace frond {

// y[t, i] = x[t, i] rstd[t] scale[i], rstd[t] = 1 / sqrt(mean_i x[t, i]^2 + epsilon).
// x [T, d]; scale [d] f32 (f64 where x is f64); y [T, d], assigned, may differ from x in dtype;
// rstd [T] in scale's dtype, assigned. Statistics in f32 (f64). Where y is bf16, `low` [T, d] bf16
// may be given: it becomes what y's rounding left off, rounded itself, so that y + low has 16 bits.
void RmsNorm(Context& ctx, ConstView x, ConstView scale, float epsilon, View y, View rstd,
             View low = {});

// dx (per `mode` assigned or accumulated) and dscale [d] (accumulated) from dy [T, d].
void RmsNormGrad(Context& ctx, ConstView dy, ConstView x, ConstView scale, ConstView rstd,
                 Write mode, View dx, View dscale);

}  // namespace frond
