// CPU implementation of core/ops/attention.h.
#pragma once

#include "core/ops/attention.h"

namespace frond::cpu {

// On Device::kMeta these take the memory that they take on the CPU, and compute nothing.

void Attention(Context& ctx, ConstColumns q, ConstColumns k, ConstColumns v, ConstView bias_table,
               const AttentionSpec& spec, View out, View lse);
void AttentionGrad(Context& ctx, ConstView dout, ConstColumns q, ConstColumns k, ConstColumns v,
                   ConstView bias_table, ConstView out, ConstView lse, const AttentionSpec& spec,
                   Columns dq, Columns dk, Columns dv, View dbias_table);

}  // namespace frond::cpu
