// Casts, fills, sums and reductions over whole tensors.
#pragma once

#include <span>
#include <vector>

#include "core/ops/matmul.h"
#include "core/tensor/tensor.h"

namespace frond {

// y = x in y's dtype (round to nearest even); assigned. Any float to any float, equal element
// counts.
void Cast(Context& ctx, ConstView x, View y);

// Every element of x becomes `value`.
void Fill(Context& ctx, double value, View x);

// y (+)= alpha x. Float dtypes may differ.
void AddScaled(Context& ctx, double alpha, ConstView x, Write mode, View y);

// sum_i x_i^2 in f64, in an order that does not depend on the number of threads.
double SumOfSquares(Context& ctx, ConstView x);

// SumOfSquares of each tensor, the same bits, with one wait for the device.
std::vector<double> SumsOfSquares(Context& ctx, std::span<const ConstView> tensors);

// Whether every element is neither infinite nor NaN.
bool AllFinite(Context& ctx, ConstView x);

}  // namespace frond
