// GPU kernels of core/ops/embedding.h; contracts there.
#pragma once

#include <cstdint>
#include <span>

#include "core/tensor/tensor.h"

namespace frond::cuda {

void Embedding(Context& ctx, ConstView table, std::span<const int32_t> ids, View y);
void EmbeddingGrad(Context& ctx, ConstView dy, std::span<const int32_t> ids, View dtable);

}  // namespace frond::cuda
