#include "core/ops/embedding.h"

#include "core/ops/cpu/embedding.h"
#include "core/ops/cuda/embedding.h"
#include "core/ops/dispatch.h"

namespace frond {
namespace {

void CheckIds(std::span<const int32_t> ids, const Shape& table, const VocabularyPart& part,
              const Shape& rows) {
  CHECK(table.rank() == 2 && rows.rank() == 2) << table << rows;
  CHECK_EQ(rows, (Shape{static_cast<int64_t>(ids.size()), table.dim(1)}));
  const int64_t vocabulary = WholeVocabulary(part, table.dim(0));
  for (const int32_t id : ids) CHECK(id >= 0 && id < vocabulary) << id << " of " << vocabulary;
}

}  // namespace

void Embedding(Context& ctx, ConstView table, std::span<const int32_t> ids, View y,
               const VocabularyPart& part) {
  CheckIds(ids, table.shape, part, y.shape);
  const ProfileScope scope(ctx.profiler(), "embedding", 0, 2 * y.bytes());
  Dispatch<cpu::Embedding, cuda::Embedding>(ctx, table, ids, y, part.first_id);
}

void EmbeddingGrad(Context& ctx, ConstView dy, std::span<const int32_t> ids, View dtable,
                   const VocabularyPart& part) {
  CHECK(dtable.dtype == DType::kF32 || dtable.dtype == DType::kF64) << DTypeName(dtable.dtype);
  CheckIds(ids, dtable.shape, part, dy.shape);
  const ProfileScope scope(ctx.profiler(), "embedding", 0, 3 * dy.bytes());
  Dispatch<cpu::EmbeddingGrad, cuda::EmbeddingGrad>(ctx, dy, ids, dtable, part.first_id);
}

}  // namespace frond
