// Attention without tensor cores, for f32 and head dims that they do not fit. A block holds 32
// rows, four threads each, and streams tiles of 32 past; thread c of a row computes every fourth
// score and sums every fourth dim. Same plan, masks and bias gradient as the tensor cores' kernels.
#include <cmath>

#include "core/ops/cuda/attention_bias_grad.cuh"
#include "core/ops/cuda/attention_call.cuh"

namespace frond::cuda {
namespace {

constexpr int kRows = kPlainRows;
constexpr int kThreads = 4 * kRows;
constexpr int kScorePitch = kRows + 1;
constexpr int kMine = kRows / 4;  // scores of a thread

__device__ __forceinline__ int RowOfThread() { return static_cast<int>(threadIdx.x) / 4; }
__device__ __forceinline__ int PartOfThread() { return static_cast<int>(threadIdx.x) % 4; }

// Odd, so that eight rows lie in different banks.
__host__ __device__ constexpr int PlainPitch(int head_dim) { return head_dim | 1; }
__host__ __device__ constexpr int PlainTile(int head_dim) { return kRows * PlainPitch(head_dim); }

// A head's columns of an operand from one of its rows on.
template <class T>
struct HeadRows {
  T* first;
  int64_t pitch;
};

// to [kRows, pitch] = the first `count` rows, then zeros. All threads.
template <class T>
__device__ void LoadTile(int head_dim, HeadRows<T> from, int count, float* to) {
  for (int i = static_cast<int>(threadIdx.x); i < kRows * head_dim; i += kThreads) {
    const int row = i / head_dim, d = i % head_dim;
    to[row * PlainPitch(head_dim) + d] =
        row < count ? ToFloat(from.first[row * from.pitch + d]) : 0.0f;
  }
}

// scores[j] = own row . row 4 j + part of the tile.
__device__ __forceinline__ void DotRows(int head_dim, const float* own, const float* tile,
                                        float (&scores)[kMine]) {
#pragma unroll
  for (int j = 0; j < kMine; ++j) scores[j] = 0;
  const float* at = tile + PartOfThread() * PlainPitch(head_dim);
  for (int d = 0; d < head_dim; ++d) {
#pragma unroll
    for (int j = 0; j < kMine; ++j) {
      scores[j] = fmaf(own[d], at[4 * j * PlainPitch(head_dim) + d], scores[j]);
    }
  }
}

// sums[i] += weight of each row times its dim 4 i + part. weights [kRows] of the own row.
template <int kDims>
__device__ __forceinline__ void AddRows(int head_dim, const float* weights, const float* tile,
                                        float (&sums)[kDims]) {
  const int part = PartOfThread();
#pragma unroll 1
  for (int j = 0; j < kRows; ++j) {
    const float weight = weights[j];
    const float* at = tile + j * PlainPitch(head_dim) + part;
#pragma unroll
    for (int i = 0; i < kDims; ++i) {
      if (4 * i + part < head_dim) sums[i] = fmaf(weight, at[4 * i], sums[i]);
    }
  }
}

// The own row, if it exists, becomes sums * factor.
template <int kDims, class T>
__device__ __forceinline__ void StoreRow(int head_dim, const float (&sums)[kDims], float factor,
                                         bool exists, T* to) {
  const int part = PartOfThread();
#pragma unroll
  for (int i = 0; i < kDims; ++i) {
    if (exists && 4 * i + part < head_dim) to[4 * i + part] = FromFloat<T>(sums[i] * factor);
  }
}

__device__ __forceinline__ float RowSum(float x) {
  x += __shfl_xor_sync(0xFFFFFFFFu, x, 1);
  return x + __shfl_xor_sync(0xFFFFFFFFu, x, 2);
}
__device__ __forceinline__ float RowMax(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, 2));
}

// What a block knows of its place; queries count as positions.
struct Place {
  AttentionItem item;
  int head;
  HeadBias bias;
  bool causal;

  // The score in units of log 2, -infinity where it is not seen.
  __device__ __forceinline__ float Finish(float score, int query, int key) const {
    const bool seen =
        key < item.num_keys && query < item.offset + item.num_queries && (!causal || key <= query);
    if (!seen) return -INFINITY;
    return fmaf(score, kLog2E, bias.exists ? bias.At(key - query) : 0.0f);
  }
  __device__ __forceinline__ int KeysSeenBy(int last_query) const {
    return causal ? min(item.num_keys, last_query + 1) : item.num_keys;
  }
};

__device__ __forceinline__ Place MakePlace(const AttentionCall& call, const AttentionItem* items,
                                           float* bias) {
  const int head = HeadOfBlock(call);
  return {items[ItemOfBlock(call)], head, LoadBias(call, head, bias), call.causal};
}

__device__ __forceinline__ float KeepOf(const AttentionCall& call, const Place& place, int key) {
  if (call.keep == nullptr || key >= place.item.num_keys) return 1;
  return call.keep[place.head * call.key_rows + place.item.key_begin + key];
}

// The block's head from row `row` of a matrix on.
template <class T>
__device__ __forceinline__ HeadRows<T> RowsFrom(const AttentionCall& call, const Place& place,
                                                T* matrix, int64_t pitch, int64_t row) {
  return {matrix + row * pitch + int64_t{place.head} * call.head_dim, pitch};
}

// The tiles of keys and values from the segment's key `first` on.
template <class Operands>
__device__ __forceinline__ void LoadKeys(const AttentionCall& call, const Place& place,
                                         const Operands& o, int first, float* keys, float* values) {
  const int count = place.item.num_keys - first;
  const int64_t row = int64_t{place.item.key_begin} + first;
  LoadTile(call.head_dim, RowsFrom(call, place, o.k, call.key_pitch, row), count, keys);
  LoadTile(call.head_dim, RowsFrom(call, place, o.v, call.key_pitch, row), count, values);
}

// The tiles of queries and their dout from the segment's query `first` on.
template <class Operands>
__device__ __forceinline__ void LoadQueries(const AttentionCall& call, const Place& place,
                                            const Operands& o, int first, float* queries,
                                            float* douts) {
  const int count = place.item.num_queries - first;
  const int64_t row = int64_t{place.item.query_begin} + first;
  LoadTile(call.head_dim, RowsFrom(call, place, o.q, call.query_pitch, row), count, queries);
  LoadTile(call.head_dim, RowsFrom(call, place, o.dout, call.width(), row), count, douts);
}

// Shared memory: queries, keys, values, probabilities, bias.
template <class T, class Out, int kDims>
__global__ void __launch_bounds__(kThreads, 2)
    PlainForwardKernel(const AttentionCall call, const AttentionItem* items,
                       const AttentionOperands<T, Out> o) {
  const int tile_size = PlainTile(call.head_dim);
  float* queries = DynamicShared<float>();
  float *keys = queries + tile_size, *values = keys + tile_size, *weights = values + tile_size;
  const Place place = MakePlace(call, items, weights + kRows * kScorePitch);
  const AttentionItem& item = place.item;
  const int own = RowOfThread(), part = PartOfThread();
  const int query = item.first + own, position = item.offset + query;
  const int64_t row = int64_t{item.query_begin} + query;
  LoadTile(call.head_dim, RowsFrom(call, place, o.q, call.query_pitch, row - own),
           item.num_queries - item.first, queries);
  float largest = -INFINITY, sum = 0, out[kDims] = {};
  float* own_weights = weights + own * kScorePitch;
  const int seen = place.KeysSeenBy(min(item.num_queries, item.first + kRows) - 1 + item.offset);
  for (int first = 0; first < seen; first += kRows) {
    __syncthreads();
    LoadKeys(call, place, o, first, keys, values);
    __syncthreads();
    float scores[kMine];
    DotRows(call.head_dim, queries + own * PlainPitch(call.head_dim), keys, scores);
    float top = largest;
#pragma unroll
    for (int j = 0; j < kMine; ++j) {
      scores[j] = place.Finish(scores[j], position, first + 4 * j + part);
      top = fmaxf(top, scores[j]);
    }
    top = RowMax(top);
    // A row without a query sees nothing.
    const float scale = top == -INFINITY ? 1.0f : exp2f(largest - top);
    sum *= scale;
#pragma unroll
    for (int j = 0; j < kMine; ++j) {
      const float p = top == -INFINITY ? 0.0f : exp2f(scores[j] - top);
      sum += p;
      own_weights[4 * j + part] = p * KeepOf(call, place, first + 4 * j + part);
    }
    largest = top;
#pragma unroll
    for (int i = 0; i < kDims; ++i) out[i] *= scale;
    __syncwarp();
    AddRows(call.head_dim, own_weights, values, out);
  }
  sum = RowSum(sum);
  const bool exists = query < item.num_queries;
  StoreRow(call.head_dim, out, sum > 0 ? 1 / sum : 0.0f, exists,
           RowsFrom(call, place, o.out, call.width(), row).first);
  if (exists && part == 0) {
    o.lse[row * call.heads + place.head] = sum > 0 ? kLn2 * (largest + log2f(sum)) : 0.0f;
  }
}

// Adds the diagonals of a tile's dscores [keys][queries], one thread each, to the block's bins.
__device__ __forceinline__ void AddPlainBiasGrad(const HeadBias& bias, int base,
                                                 const float* dscores, const DistanceBins& bins,
                                                 FarSums& far) {
  const int diagonal = static_cast<int>(threadIdx.x) - (kRows - 1);  // key - query in the tile
  if (diagonal >= kRows) return;
  float sum = 0;
  for (int key = max(0, diagonal); key < min(kRows, kRows + diagonal); ++key) {
    sum += dscores[key * kScorePitch + key - diagonal];
  }
  if (bias.Varies(base - (kRows - 1), base + kRows - 1)) {
    bins.At(base + diagonal) += sum;
  } else if (base + kRows - 1 <= -bias.before) {
    far.before += sum;
  } else {
    far.after += sum;
  }
}

// Shared memory: keys, values, queries, douts, probabilities, dscores, statistics, bias, bins.
template <class T, class Out, int kDims>
__global__ void __launch_bounds__(kThreads, 2)
    PlainKeysKernel(const AttentionCall call, const AttentionItem* items,
                    const AttentionGradOperands<T, Out> o) {
  const int tile_size = PlainTile(call.head_dim), num_bins = BinsOf(call.num_distances());
  float* keys = DynamicShared<float>();
  float *values = keys + tile_size, *queries = values + tile_size, *douts = queries + tile_size;
  float *probs = douts + tile_size, *dscores = probs + kRows * kScorePitch;
  float2* stats = reinterpret_cast<float2*>(dscores + kRows * kScorePitch);
  float* bias_values = reinterpret_cast<float*>(stats + kRows);
  const Place place = MakePlace(call, items, bias_values);
  const AttentionItem& item = place.item;
  const DistanceBins bins = {bias_values + call.num_distances(), call.before, call.num_distances()};
  for (int i = static_cast<int>(threadIdx.x); i < num_bins; i += kThreads) bins.bins[i] = 0;
  const int own = RowOfThread(), part = PartOfThread(), key = item.first + own;
  const int own_at = own * PlainPitch(call.head_dim);
  LoadKeys(call, place, o, item.first, keys, values);
  const float keep = KeepOf(call, place, key);
  FarSums far;
  float dk[kDims] = {}, dv[kDims] = {};
  const int hidden = call.causal ? max(0, item.first - item.offset) : 0;
  for (int first = hidden / kRows * kRows; first < item.num_queries; first += kRows) {
    __syncthreads();
    const int64_t row = int64_t{item.query_begin} + first;
    LoadQueries(call, place, o, first, queries, douts);
    if (part == 0 && first + own < item.num_queries) {
      stats[own] = o.stats[place.head * call.query_rows + row + own];
    }
    __syncthreads();
    float scores[kMine], dprobs[kMine];
    DotRows(call.head_dim, keys + own_at, queries, scores);
    DotRows(call.head_dim, values + own_at, douts, dprobs);
#pragma unroll
    for (int j = 0; j < kMine; ++j) {
      const int column = 4 * j + part;
      const float score = place.Finish(scores[j], item.offset + first + column, key);
      const bool seen = score != -INFINITY;
      const float p = seen ? exp2f(score - stats[column].x) : 0.0f;
      probs[own * kScorePitch + column] = p;
      dscores[own * kScorePitch + column] =
          seen ? p * fmaf(keep, dprobs[j], -stats[column].y) : 0.0f;
    }
    __syncthreads();
    AddRows(call.head_dim, probs + own * kScorePitch, douts, dv);
    AddRows(call.head_dim, dscores + own * kScorePitch, queries, dk);
    if (!place.bias.exists) continue;
    AddPlainBiasGrad(place.bias, item.first - (item.offset + first), dscores, bins, far);
  }
  const int64_t own_row = int64_t{item.key_begin} + key;
  StoreRow(call.head_dim, dk, 1.0f, key < item.num_keys,
           RowsFrom(call, place, o.dk, call.key_pitch, own_row).first);
  StoreRow(call.head_dim, dv, keep, key < item.num_keys,
           RowsFrom(call, place, o.dv, call.key_pitch, own_row).first);
  if (!place.bias.exists) return;
  __syncthreads();
  for (int warp = 0; warp < kThreads / 32; ++warp) {
    if (static_cast<int>(threadIdx.x) / 32 == warp) far.AddTo(bins);
    __syncthreads();
  }
  SumBuckets(call, o, bins.bins, 1);
}

// The own query's way past all keys: per_key(slot, p, keep, dp) for each of the thread's keys, slot
// being its place in the tile; per_tile() after each tile, of which `memory` then holds the keys.
// `memory`: tiles of queries, douts, keys and values.
template <class T, class Out, class PerKey, class PerTile>
__device__ __forceinline__ void VisitKeys(const AttentionCall& call, const Place& place,
                                          const AttentionGradOperands<T, Out>& o, float* memory,
                                          float log_sum, const PerKey& per_key,
                                          const PerTile& per_tile) {
  const int tile_size = PlainTile(call.head_dim);
  float *queries = memory, *douts = queries + tile_size, *keys = douts + tile_size;
  float* values = keys + tile_size;
  const AttentionItem& item = place.item;
  const int own = RowOfThread(), part = PartOfThread(), query = item.first + own;
  const int own_at = own * PlainPitch(call.head_dim);
  LoadQueries(call, place, o, item.first, queries, douts);
  const int seen = place.KeysSeenBy(min(item.num_queries, item.first + kRows) - 1 + item.offset);
  for (int first = 0; first < seen; first += kRows) {
    __syncthreads();
    LoadKeys(call, place, o, first, keys, values);
    __syncthreads();
    float scores[kMine], dprobs[kMine];
    DotRows(call.head_dim, queries + own_at, keys, scores);
    DotRows(call.head_dim, douts + own_at, values, dprobs);
#pragma unroll
    for (int j = 0; j < kMine; ++j) {
      const int key = first + 4 * j + part;
      const float p = exp2f(place.Finish(scores[j], item.offset + query, key) - log_sum);
      per_key(4 * j + part, p, KeepOf(call, place, key), dprobs[j]);
    }
    per_tile();
  }
}

// stats of AttentionGradOperands, the sums taken from the probabilities: no rounding of the output
// is in them. Shared memory: queries, douts, keys, values, bias.
template <class T, class Out>
__global__ void __launch_bounds__(kThreads, 2)
    PlainStatsKernel(const AttentionCall call, const AttentionItem* items,
                     const AttentionGradOperands<T, Out> o, const float* lse) {
  float* memory = DynamicShared<float>();
  const Place place = MakePlace(call, items, memory + 4 * PlainTile(call.head_dim));
  const int query = place.item.first + RowOfThread();
  const int64_t row = int64_t{place.item.query_begin} + query;
  const bool exists = query < place.item.num_queries;
  const float log_sum = exists ? kLog2E * lse[row * call.heads + place.head] : 0.0f;
  float sum = 0;
  VisitKeys(
      call, place, o, memory, log_sum,
      [&](int, float p, float keep, float dp) { sum = fmaf(p * keep, dp, sum); }, [] {});
  sum = RowSum(sum);
  if (exists && PartOfThread() == 0) {
    o.stats[place.head * call.query_rows + row] = make_float2(log_sum, sum);
  }
}

// Shared memory: queries, douts, keys, values, dscores, bias.
template <class T, class Out, int kDims>
__global__ void __launch_bounds__(kThreads, 2)
    PlainQueriesKernel(const AttentionCall call, const AttentionItem* items,
                       const AttentionGradOperands<T, Out> o) {
  const int tile_size = PlainTile(call.head_dim);
  float* memory = DynamicShared<float>();
  const float* keys = memory + 2 * tile_size;
  float* dscores = memory + 4 * tile_size;
  const Place place = MakePlace(call, items, dscores + kRows * kScorePitch);
  float* own_dscores = dscores + RowOfThread() * kScorePitch;
  const int query = place.item.first + RowOfThread();
  const int64_t row = int64_t{place.item.query_begin} + query;
  const bool exists = query < place.item.num_queries;
  const float2 stats =
      exists ? o.stats[place.head * call.query_rows + row] : make_float2(0.0f, 0.0f);
  float dq[kDims] = {};
  VisitKeys(
      call, place, o, memory, stats.x,
      [&](int slot, float p, float keep, float dp) {
        own_dscores[slot] = p * fmaf(keep, dp, -stats.y);
      },
      [&] {
        __syncwarp();
        AddRows(call.head_dim, own_dscores, keys, dq);
      });
  StoreRow(call.head_dim, dq, 1.0f, exists,
           RowsFrom(call, place, o.dq, call.query_pitch, row).first);
}

size_t PlainBytes(const AttentionCall& call, int tiles, int scores, int floats) {
  return sizeof(float) *
         static_cast<size_t>(tiles * PlainTile(call.head_dim) + scores * kRows * kScorePitch +
                             floats + call.num_distances());
}

// Calls `function` with an integral_constant of the dims that a thread sums.
template <class Function>
void VisitDims(int head_dim, const Function& function) {
  CHECK(head_dim <= 256) << "attention on a GPU has head dims up to 256, not " << head_dim;
  if (head_dim <= 64) return function(std::integral_constant<int, 16>());
  if (head_dim <= 128) return function(std::integral_constant<int, 32>());
  function(std::integral_constant<int, 64>());
}

}  // namespace

template <class T, class Out>
void PlainAttention(Context& ctx, const AttentionSetup& setup, const AttentionOperands<T, Out>& o) {
  const AttentionCall& call = setup.call();
  VisitDims(call.head_dim, [&](auto dims) {
    Launch(ctx, setup.GridOf(0, kThreads, PlainBytes(call, 3, 1, 0)),
           PlainForwardKernel<T, Out, decltype(dims)::value>, call, setup.items(0), o);
  });
}

template <class T, class Out>
void PlainAttentionStats(Context& ctx, const AttentionSetup& setup, const float* lse,
                         const AttentionGradOperands<T, Out>& o) {
  const AttentionCall& call = setup.call();
  Launch(ctx, setup.GridOf(0, kThreads, PlainBytes(call, 4, 0, 0)), PlainStatsKernel<T, Out>, call,
         setup.items(0), o, lse);
}

template <class T, class Out>
void PlainAttentionGrad(Context& ctx, const AttentionSetup& setup,
                        const AttentionGradOperands<T, Out>& o) {
  const AttentionCall& call = setup.call();
  const int floats = 2 * kRows + BinsOf(call.num_distances());
  VisitDims(call.head_dim, [&](auto dims) {
    Launch(ctx, setup.GridOf(1, kThreads, PlainBytes(call, 4, 2, floats)),
           PlainKeysKernel<T, Out, decltype(dims)::value>, call, setup.items(1), o);
    Launch(ctx, setup.GridOf(0, kThreads, PlainBytes(call, 4, 1, 0)),
           PlainQueriesKernel<T, Out, decltype(dims)::value>, call, setup.items(0), o);
  });
}

template void PlainAttention(Context&, const AttentionSetup&, const AttentionOperands<float>&);
template void PlainAttention(Context&, const AttentionSetup&, const AttentionOperands<BFloat16>&);
template void PlainAttention(Context&, const AttentionSetup&,
                             const AttentionOperands<float, BFloat16>&);
template void PlainAttentionStats(Context&, const AttentionSetup&, const float*,
                                  const AttentionGradOperands<BFloat16>&);
template void PlainAttentionStats(Context&, const AttentionSetup&, const float*,
                                  const AttentionGradOperands<float, BFloat16>&);
template void PlainAttentionGrad(Context&, const AttentionSetup&,
                                 const AttentionGradOperands<float>&);
template void PlainAttentionGrad(Context&, const AttentionSetup&,
                                 const AttentionGradOperands<BFloat16>&);
template void PlainAttentionGrad(Context&, const AttentionSetup&,
                                 const AttentionGradOperands<float, BFloat16>&);

}  // namespace frond::cuda
