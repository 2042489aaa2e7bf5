// CPU kernels of core/ops/elementwise.h; contracts there.
#pragma once

#include <span>
#include <vector>

#include "core/ops/matmul.h"
#include "core/tensor/tensor.h"

namespace frond::cpu {

void Cast(Context& ctx, ConstView x, View y);
void Fill(Context& ctx, double value, View x);
void AddScaled(Context& ctx, double alpha, ConstView x, Write mode, View y);
double SumOfSquares(Context& ctx, ConstView x);
std::vector<double> SumsOfSquares(Context& ctx, std::span<const ConstView> tensors);
bool AllFinite(Context& ctx, ConstView x);

}  // namespace frond::cpu
