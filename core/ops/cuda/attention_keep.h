// Attention's dropout as factors of the rows of v.
//
// A draw drops a whole (key token, head) pair, for all queries of its segment. So the output is
// that of attention without dropout over rows of v times their factors, and the gradient of v is
// that of those rows times the same factors; kernels that know no such dropout need nothing else.
#pragma once

#include "core/ops/attention.h"
#include "core/tensor/columns.h"

namespace frond::cuda {

// The factors [heads][key_rows] f32 of a call with dropout: 0, or 1 / (1 - rate) where the pair is
// kept (AttentionDropoutKeeps).
Tensor MakeKeep(Context& ctx, const AttentionSpec& spec, int64_t key_rows);

// y = x with each head's part of a row times its factor. x, y [key_rows, heads * head_dim] bf16,
// head_dim a multiple of 8, rows 16-byte aligned; y may be x.
void ScaleByKeep(Context& ctx, ConstColumns x, const Tensor& keep, Columns y);

}  // namespace frond::cuda
