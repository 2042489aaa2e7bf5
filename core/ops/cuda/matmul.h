// GPU matrix products through cuBLASLt. Contracts: core/ops/matmul.h and matmul_peak.h.
#pragma once

#include "core/ops/matmul.h"
#include "core/tensor/tensor.h"

namespace frond::cuda {

void MatMul(Context& ctx, ConstColumns a, Trans trans_a, ConstView b, Trans trans_b, Write mode,
            View c);
void MatMulAdd(Context& ctx, ConstColumns a, Trans trans_a, ConstView b, Trans trans_b,
               ConstView addend, View c);
void PackWeight(Context& ctx, ConstView weight, Trans trans, DType dtype, PackedWeight& packed);
void MatMulPacked(Context& ctx, ConstView a, const PackedWeight& weight, Trans trans, Write mode,
                  View c);
void MatMulPackedAdd(Context& ctx, ConstView a, const PackedWeight& weight, Trans trans,
                     ConstView addend, View c);
double MeasureMatMulPeak(Context& ctx, DType dtype);

// What choosing algorithms has cost in this context.
struct MatMulPlanCounts {
  int64_t plans = 0;     // products of one kind, shape and alignment
  int64_t measured = 0;  // of them, those that measured algorithms instead of taking a known choice
};
MatMulPlanCounts CountMatMulPlans(Context& ctx);

}  // namespace frond::cuda
