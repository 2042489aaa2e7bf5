// What ops take of memory for themselves, taken on Device::kMeta: the third form of Dispatch
// (core/ops/dispatch.h). Arguments are those of the ops; nothing is read or written.
//
// For the CPU the backend's own code runs and stops before it computes, so its sizes are exact. For
// a GPU, products have cuBLASLt's workspace and attention its row statistics and dropout masks, or
// where it is cuDNN's its scores and scaled values; what is left out is less than 100 MB even for
// mT5-XXL (partial sums of norms and of Adafactor, ids of tokens), beside up to 512 MiB in the
// first step, in which algorithms are measured.
#pragma once

#include "core/ops/attention.h"
#include "core/ops/matmul.h"

namespace frond::meta {

void MatMul(Context& ctx, ConstColumns a, Trans trans_a, ConstView b, Trans trans_b, Write mode,
            View c);
void PackWeight(Context& ctx, ConstView weight, Trans trans, DType dtype, PackedWeight& packed);
void MatMulPacked(Context& ctx, ConstView a, const PackedWeight& weight, Trans trans, Write mode,
                  View c);
void RmsNormGrad(Context& ctx, ConstView dy, ConstView x, ConstView scale, ConstView rstd,
                 Write mode, View dx, View dscale);
void Attention(Context& ctx, ConstColumns q, ConstColumns k, ConstColumns v, ConstView bias_table,
               const AttentionSpec& spec, View out, View lse);
void AttentionGrad(Context& ctx, ConstView dout, ConstColumns q, ConstColumns k, ConstColumns v,
                   ConstView bias_table, ConstView out, ConstView lse, const AttentionSpec& spec,
                   Columns dq, Columns dk, Columns dv, View dbias_table);

}  // namespace frond::meta
