// GPU kernels of core/ops/attention.h; contracts there.
//
// bf16 with head dims 32, 64 and 128 runs on the tensor cores (attention.cu, attention_grad.cu): a
// block of four warps holds 64 queries (keys), 16 a warp, and streams the segment's keys (queries)
// past them, two tiles in flight. The probabilities and their gradient are rounded to bf16 for the
// products, all else is f32. Everything else runs on attention_plain.cu's kernels.
#pragma once

#include "core/ops/attention.h"
#include "core/tensor/tensor.h"

namespace frond::cuda {

void Attention(Context& ctx, ConstColumns q, ConstColumns k, ConstColumns v, ConstView bias_table,
               const AttentionSpec& spec, View out, View lse);
void AttentionGrad(Context& ctx, ConstView dout, ConstColumns q, ConstColumns k, ConstColumns v,
                   ConstView bias_table, ConstView out, ConstView lse, const AttentionSpec& spec,
                   Columns dq, Columns dk, Columns dv, View dbias_table);

}  // namespace frond::cuda
