// Tiles of attention on the tensor cores (Dao, "FlashAttention-2", 2023): a warp holds 16 rows, the
// block's four warps share the tile that streams past.
//
// Scores of a warp are [columns / 8][4] in the layout of MultiplyAdd16x8x16's d: with g = lane / 4,
// p = lane % 4, element [n][2h + e] is row g + 8h, column 8n + 2p + e. Where rows are queries and
// columns keys, kColumnsAreKeys is true; the gradient of keys has it the other way round.
#pragma once

#include "core/ops/cuda/attention_call.cuh"
#include "core/ops/cuda/vectors.cuh"

namespace frond::cuda {

constexpr int kTileThreads = 128;
constexpr int kTileRows = 64;  // 16 a warp

// Rows in shared memory are 16 bytes longer than their contents: the eight rows that a matrix load
// reads at once then lie in different banks.
template <int kDim>
constexpr int kPitch = kDim + 8;
template <int kDim, int kRows>
constexpr int kTileElements = kRows* kPitch<kDim>;

__device__ __forceinline__ int LaneOf() { return static_cast<int>(threadIdx.x) % 32; }
__device__ __forceinline__ int FirstRowOfWarp() { return static_cast<int>(threadIdx.x) / 32 * 16; }

// Starts the copy of rows [kRows, kDim] to shared memory; rows from `count` on become 0.
template <int kDim, int kRows>
__device__ __forceinline__ void CopyTile(const BFloat16* from, int64_t stride, int count,
                                         BFloat16* to) {
  constexpr int kChunks = kDim / 8;
  static_assert(kRows * kChunks % kTileThreads == 0);
#pragma unroll
  for (int i = 0; i < kRows * kChunks / kTileThreads; ++i) {
    const int at = i * kTileThreads + static_cast<int>(threadIdx.x);
    const int row = at / kChunks, chunk = at % kChunks;
    const bool valid = row < count;
    CopyAsync16(to + row * kPitch<kDim> + 8 * chunk, from + (valid ? row : 0) * stride + 8 * chunk,
                valid);
  }
}

// The same for one value a row.
template <int kRows, class T>
__device__ __forceinline__ void CopyPerRow(const T* from, int count, T* to) {
  const int row = static_cast<int>(threadIdx.x);
  if (row < kRows) CopyAsyncOne(to + row, from + (row < count ? row : 0), row < count);
}

// The left operand [16, 16] at column 16 k of the warp's rows.
template <int kDim>
__device__ __forceinline__ void LoadLeft(const BFloat16* rows, int k, uint32_t (&a)[4]) {
  const int lane = LaneOf();
  LoadMatrices(rows + lane % 16 * kPitch<kDim> + 16 * k + lane / 16 * 8, a);
}

// scores[16, 8 kN] += left[16, 16] right^T, right being columns 16 k of the tile's rows.
template <int kDim, int kN>
__device__ __forceinline__ void MultiplyTransposed(const uint32_t (&a)[4], const BFloat16* right,
                                                   int k, float (&scores)[kN][4]) {
  const int lane = LaneOf();
  const BFloat16* at =
      right + (lane % 8 + lane / 16 * 8) * kPitch<kDim> + 16 * k + lane / 8 % 2 * 8;
#pragma unroll
  for (int n = 0; n < kN; n += 2) {
    uint32_t b[4];
    LoadMatrices(at + 8 * n * kPitch<kDim>, b);
    MultiplyAdd16x8x16(scores[n], a, b[0], b[1]);
    MultiplyAdd16x8x16(scores[n + 1], a, b[2], b[3]);
  }
}

// scores = left right^T: the warp's rows times all rows of the tile.
template <int kDim, int kN>
__device__ __forceinline__ void Scores(const BFloat16* left, const BFloat16* right,
                                       float (&scores)[kN][4]) {
#pragma unroll
  for (int n = 0; n < kN; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) scores[n][i] = 0;
  }
#pragma unroll
  for (int k = 0; k < kDim / 16; ++k) {
    uint32_t a[4];
    LoadLeft<kDim>(left, k, a);
    MultiplyTransposed<kDim>(a, right, k, scores);
  }
}

// sums[16, kDim] += weights[16, 8 kN], rounded to bf16, times the tile's rows [8 kN, kDim].
template <int kDim, int kN>
__device__ __forceinline__ void AddWeighted(const float (&weights)[kN][4], const BFloat16* rows,
                                            float (&sums)[kDim / 8][4]) {
  const int lane = LaneOf();
  const BFloat16* at = rows + lane % 16 * kPitch<kDim> + lane / 16 * 8;
#pragma unroll
  for (int k = 0; k < kN / 2; ++k) {
    const float(&low)[4] = weights[2 * k];
    const float(&high)[4] = weights[2 * k + 1];
    const uint32_t a[4] = {PackBFloat16(low[0], low[1]), PackBFloat16(low[2], low[3]),
                           PackBFloat16(high[0], high[1]), PackBFloat16(high[2], high[3])};
#pragma unroll
    for (int n = 0; n < kDim / 8; n += 2) {
      uint32_t b[4];
      LoadMatricesTransposed(at + 16 * k * kPitch<kDim> + 8 * n, b);
      MultiplyAdd16x8x16(sums[n], a, b[0], b[1]);
      MultiplyAdd16x8x16(sums[n + 1], a, b[2], b[3]);
    }
  }
}

// Where a warp's scores lie in their segment.
struct ScorePlace {
  int row, column;  // of the first element; queries count from `offset`, as positions
};

// scores = scores log2(e) + bias. The distance of an element depends on n - h, not on both.
template <bool kColumnsAreKeys, int kN>
__device__ __forceinline__ void AddBias(const HeadBias& bias, ScorePlace place,
                                        float (&scores)[kN][4]) {
  constexpr int kSign = kColumnsAreKeys ? 1 : -1;
  const int base = place.column - place.row;
  const int first = kColumnsAreKeys ? base - 15 : -base - (8 * kN - 1);
  const int last = kColumnsAreKeys ? base + 8 * kN - 1 : -base + 15;
  if (!bias.Varies(first, last)) {
    const float constant = bias.Constant(first);
#pragma unroll
    for (int n = 0; n < kN; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) scores[n][i] = fmaf(scores[n][i], kLog2E, constant);
    }
    return;
  }
  const int lane = LaneOf();
#pragma unroll
  for (int e = 0; e < 2; ++e) {
    const int own = base + lane % 4 * 2 + e - lane / 4;
    float before = bias.At(kSign * (own - 8));
#pragma unroll
    for (int n = 0; n < kN; ++n) {
      const float here = bias.At(kSign * (own + 8 * n));
      scores[n][e] = fmaf(scores[n][e], kLog2E, here);
      scores[n][2 + e] = fmaf(scores[n][2 + e], kLog2E, before);
      before = here;
    }
  }
}

// What a query may see: keys below num_keys and, where causal, none after its own position. Queries
// from `end_query` on see none.
struct Visibility {
  bool causal;
  int num_keys, end_query;

  __device__ __forceinline__ bool Sees(int query, int key) const {
    return key < num_keys && query < end_query && (!causal || key <= query);
  }
};

// Makes -infinity of what is not seen. To be skipped where all is.
template <bool kColumnsAreKeys, int kN>
__device__ __forceinline__ void Mask(const Visibility& visibility, ScorePlace place,
                                     float (&scores)[kN][4]) {
  const int row = place.row + LaneOf() / 4, column = place.column + LaneOf() % 4 * 2;
#pragma unroll
  for (int n = 0; n < kN; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int r = row + i / 2 * 8, c = column + 8 * n + i % 2;
      const bool sees = kColumnsAreKeys ? visibility.Sees(r, c) : visibility.Sees(c, r);
      if (!sees) scores[n][i] = -INFINITY;
    }
  }
}

// Whether a tile of `queries` and `keys` from these on has something to mask.
__device__ __forceinline__ bool NeedsMask(const Visibility& visibility, int query, int queries,
                                          int key, int keys) {
  return key + keys > visibility.num_keys || query + queries > visibility.end_query ||
         (visibility.causal && key + keys - 1 > query);
}

// to [16, kDim] = sums * factor of the row, for the first `count` rows. `stage`: the warp's own
// rows of a tile in shared memory, which nobody else reads any more.
template <int kDim>
__device__ __forceinline__ void StoreRows(const float (&sums)[kDim / 8][4],
                                          const float (&factor)[2], BFloat16* stage, int count,
                                          BFloat16* to, int64_t stride) {
  const int lane = LaneOf();
#pragma unroll
  for (int n = 0; n < kDim / 8; ++n) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      BFloat16* at = stage + (lane / 4 + 8 * h) * kPitch<kDim> + 8 * n + lane % 4 * 2;
      *reinterpret_cast<uint32_t*>(at) =
          PackBFloat16(sums[n][2 * h] * factor[h], sums[n][2 * h + 1] * factor[h]);
    }
  }
  __syncwarp();
  constexpr int kChunks = kDim / 8;
#pragma unroll
  for (int i = 0; i < 16 * kChunks / 32; ++i) {
    const int row = (32 * i + lane) / kChunks, chunk = (32 * i + lane) % kChunks;
    if (row >= count) continue;
    *reinterpret_cast<uint4*>(to + row * stride + 8 * chunk) =
        *reinterpret_cast<const uint4*>(stage + row * kPitch<kDim> + 8 * chunk);
  }
}

}  // namespace frond::cuda
