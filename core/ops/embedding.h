// Table look-up and its gradient.
#pragma once

#include <cstdint>
#include <span>

#include "core/tensor/tensor.h"

namespace frond {

// y[t] = table[ids[t]]. table [V, d] and y [T, d], assigned: any float; from f32 to bf16 rounded as
// a master's high half is (core/ops/master.h). CHECKs the ids.
void Embedding(Context& ctx, ConstView table, std::span<const int32_t> ids, View y);

// dtable[ids[t]] += dy[t], accumulated in an order that depends on the ids alone (deterministic).
// dy [T, d] any float; dtable [V, d] f32 or f64.
void EmbeddingGrad(Context& ctx, ConstView dy, std::span<const int32_t> ids, View dtable);

}  // namespace frond
