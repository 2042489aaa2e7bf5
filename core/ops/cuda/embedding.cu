// The gradient's tokens are put in order by id on the host. Each table row has one owner, which
// adds its tokens in that order; ids of many tokens are cut into pieces first, so that one frequent
// token does not keep the others waiting.
#include "core/ops/cuda/embedding.h"
#include "core/ops/cuda/masters.cuh"
#include "core/ops/cuda/vectors.cuh"
#include "core/ops/ids_in_order.h"

namespace frond::cuda {
namespace {

constexpr int kMaxThreads = 128;
constexpr int32_t kPieceTokens = 64;

// A block for each of `rows` rows and, in rows that are longer, for each kMaxThreads vectors.
Grid RowGrid(int64_t rows, int64_t dim, int width) {
  const int64_t vectors = DivideUp(dim, width);
  const int64_t threads = std::min<int64_t>(kMaxThreads, DivideUp(vectors, 32) * 32);
  return {.blocks = dim3(static_cast<unsigned>(rows),
                         static_cast<unsigned>(threads == 0 ? 0 : DivideUp(vectors, threads))),
          .threads = dim3(static_cast<unsigned>(threads))};
}

// The first column of this thread's vector in RowGrid.
template <int kWidth>
__device__ __forceinline__ int64_t Column() {
  return (int64_t{blockIdx.y} * blockDim.x + threadIdx.x) * kWidth;
}

// Ids [first_id, first_id + rows): those of the table's rows.
struct TableIds {
  int64_t first_id, rows;
};

template <int kWidth, class Table, class Y>
__global__ void EmbeddingKernel(const Table* table, TableIds table_ids, const int32_t* ids,
                                int64_t dim, Y* y) {
  const int64_t column = Column<kWidth>();
  if (column >= dim) return;
  const int64_t id = ids[blockIdx.x] - table_ids.first_id;
  Floats<kWidth> row;
  if (id >= 0 && id < table_ids.rows) row = LoadFloats<kWidth>(table + id * dim + column);
  if constexpr (std::is_same_v<Y, BFloat16>) {
    // As every product's weights are rounded (core/ops/master.h).
#pragma unroll
    for (int i = 0; i < kWidth; ++i) row.at[i] = RoundedWeight(row.at[i]);
  }
  StoreFloats(row, y + int64_t{blockIdx.x} * dim + column);
}

template <int kWidth>
__device__ __forceinline__ void AddTo(const Floats<kWidth>& x, float* p) {
  Floats<kWidth> sum = LoadFloats<kWidth>(p);
#pragma unroll
  for (int i = 0; i < kWidth; ++i) sum.at[i] += x.at[i];
  StoreFloats(sum, p);
}

// The sum of rows rows[begin, end) of x, in that order.
template <int kWidth, class T>
__device__ __forceinline__ Floats<kWidth> SumRows(const T* x, const int32_t* rows, int32_t begin,
                                                  int32_t end, int64_t dim) {
  Floats<kWidth> sum;
#pragma unroll 4
  for (int32_t i = begin; i < end; ++i) {
    const int64_t row = rows == nullptr ? i : rows[i];
    const Floats<kWidth> term = LoadFloats<kWidth>(x + row * dim);
#pragma unroll
    for (int j = 0; j < kWidth; ++j) sum.at[j] += term.at[j];
  }
  return sum;
}

// dtable, and sums of the pieces that do not go straight there ([slots, dim]).
struct TableGradient {
  float* dtable;
  float* partial;
  int64_t dim;
};

template <int kWidth, class DY>
__global__ void AddPiecesKernel(const DY* dy, const int32_t* tokens, const IdPiece* pieces,
                                TableGradient out) {
  const int64_t column = Column<kWidth>();
  if (column >= out.dim) return;
  const IdPiece piece = pieces[blockIdx.x];
  const Floats<kWidth> sum = SumRows<kWidth>(dy + column, tokens, piece.begin, piece.end, out.dim);
  if (piece.slot < 0) return AddTo(sum, out.dtable + int64_t{piece.id} * out.dim + column);
  StoreFloats(sum, out.partial + int64_t{piece.slot} * out.dim + column);
}

template <int kWidth>
__global__ void JoinPiecesKernel(const IdRun* joins, TableGradient out) {
  const int64_t column = Column<kWidth>();
  if (column >= out.dim) return;
  const IdRun join = joins[blockIdx.x];
  const float* partial = out.partial + column;
  AddTo(SumRows<kWidth>(partial, nullptr, join.begin, join.end, out.dim),
        out.dtable + int64_t{join.id} * out.dim + column);
}

// Calls `run` with the width of loads as a constant.
template <class Run>
void VisitWidth(bool wide, const Run& run) {
  if (wide) return run(std::integral_constant<int, 4>{});
  run(std::integral_constant<int, 1>{});
}

}  // namespace

void Embedding(Context& ctx, ConstView table, std::span<const int32_t> ids, View y,
               int64_t first_id) {
  if (y.num_elements() == 0) return;
  const Uploaded<int32_t> device_ids(ctx, ids);
  const int64_t dim = table.dim(1);
  const TableIds table_ids = {.first_id = first_id, .rows = table.dim(0)};
  VisitWidth(HasRowsOfEight(table) && HasRowsOfEight(y), [&](auto width) {
    VisitGpuType(table.dtype, [&](auto from) {
      VisitGpuType(y.dtype, [&](auto to) {
        using Table = decltype(from);
        using Y = decltype(to);
        Launch(ctx, RowGrid(y.dim(0), dim, width), EmbeddingKernel<width(), Table, Y>,
               table.As<Table>(), table_ids, device_ids.data(), dim, y.As<Y>());
      });
    });
  });
}

void EmbeddingGrad(Context& ctx, ConstView dy, std::span<const int32_t> ids, View dtable,
                   int64_t first_id) {
  if (dy.num_elements() == 0) return;
  IdsInOrder order = PutIdsInOrder(ids);
  KeepIds(first_id, dtable.dim(0), order.runs);
  const IdPieces cut = CutIntoPieces(order.runs, kPieceTokens);
  const Uploaded<int32_t> tokens(ctx, order.tokens);
  const Uploaded<IdPiece> pieces(ctx, cut.pieces);
  const Uploaded<IdRun> joins(ctx, cut.joins);
  const int64_t dim = dtable.dim(1);
  Tensor partial(ctx, {cut.num_slots, dim}, DType::kF32, MemoryKind::kWorkspace);
  const TableGradient out = {
      .dtable = dtable.As<float>(), .partial = partial.As<float>(), .dim = dim};
  VisitWidth(HasRowsOfEight(dy) && HasRowsOfEight(dtable), [&](auto width) {
    VisitGpuType(dy.dtype, [&](auto type) {
      using DY = decltype(type);
      Launch(ctx, RowGrid(std::ssize(cut.pieces), dim, width), AddPiecesKernel<width(), DY>,
             dy.As<DY>(), tokens.data(), pieces.data(), out);
    });
    Launch(ctx, RowGrid(std::ssize(cut.joins), dim, width), JoinPiecesKernel<width()>, joins.data(),
           out);
  });
}

}  // namespace frond::cuda
