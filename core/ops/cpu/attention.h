// CPU implementation of core/ops/attention.h.
#pragma once

#include "core/ops/attention.h"

namespace frond::cpu {

// On Device::kMeta these take the memory that they take on the CPU, and compute nothing.

void Attention(Context& ctx, ConstView q, ConstView k, ConstView v, ConstView bias_table,
               const AttentionSpec& spec, View out, View lse);
void AttentionGrad(Context& ctx, ConstView dout, ConstView q, ConstView k, ConstView v,
                   ConstView bias_table, ConstView out, ConstView lse, const AttentionSpec& spec,
                   View dq, View dk, View dv, View dbias_table);

}  // namespace frond::cpu
