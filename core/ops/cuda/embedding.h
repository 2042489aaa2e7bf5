// GPU kernels of core/ops/embedding.h; contracts there.
#pragma once

#include <cstdint>
#include <span>

#include "core/tensor/tensor.h"

namespace frond::cuda {

// `first_id`: of the table's row 0.
void Embedding(Context& ctx, ConstView table, std::span<const int32_t> ids, View y,
               int64_t first_id);
void EmbeddingGrad(Context& ctx, ConstView dy, std::span<const int32_t> ids, View dtable,
                   int64_t first_id);

}  // namespace frond::cuda
