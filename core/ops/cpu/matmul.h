// CPU matrix products: oneDNN for f32 and bf16, own loops for f64. Contracts: core/ops/matmul.h.
#pragma once

#include "core/ops/matmul.h"
#include "core/tensor/tensor.h"

namespace frond::cpu {

// On Device::kMeta these take the memory that they take on the CPU, and compute nothing.

void MatMul(Context& ctx, ConstColumns a, Trans trans_a, ConstView b, Trans trans_b, Write mode,
            View c);
void PackWeight(Context& ctx, ConstView weight, Trans trans, DType dtype, PackedWeight& packed);
void MatMulPacked(Context& ctx, ConstView a, const PackedWeight& weight, Trans trans, Write mode,
                  View c);

}  // namespace frond::cpu
