// Table look-up and its gradient.
#pragma once

#include <cstdint>
#include <span>

#include "core/ops/vocabulary_part.h"
#include "core/tensor/tensor.h"

namespace frond {

// y[t] = table[ids[t] - part.first_id], or zeros where the table has no such row: parts' results
// add up to the whole table's. table [V, d] and y [T, d], assigned: any float; from f32 to bf16
// rounded as a master's high half is (core/ops/master.h). CHECKs the ids.
void Embedding(Context& ctx, ConstView table, std::span<const int32_t> ids, View y,
               const VocabularyPart& part = {});

// dtable[ids[t] - part.first_id] += dy[t], for ids that the table has; accumulated in an order that
// depends on the ids alone (deterministic): a part gets the bits of its rows of the whole table. dy
// [T, d] any float; dtable [V, d] f32 or f64.
void EmbeddingGrad(Context& ctx, ConstView dy, std::span<const int32_t> ids, View dtable,
                   const VocabularyPart& part = {});

}  // namespace frond
