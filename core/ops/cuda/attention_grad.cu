#include "core/base/build_config.h"
#include "core/ops/cuda/attention.h"
#include "core/ops/cuda/attention_bias_grad.cuh"
#include "core/ops/cuda/attention_tiles.cuh"
#include "core/ops/cuda/cudnn_cross_attention.h"
#include "core/ops/cuda/zero_rows.h"

namespace frond::cuda {
namespace {

// Rows of a streamed tile: as many as leave the registers and shared memory for two blocks.
template <int kDim>
constexpr int kStream = kDim <= 64 ? 64 : 32;

// Shared memory: two tiles that stay, two stages of two tiles that stream past, then floats.
template <int kDim>
struct GradMemory {
  static constexpr int kTile = kTileElements<kDim, kTileRows>;
  static constexpr int kStreamTile = kTileElements<kDim, kStream<kDim>>;
  static constexpr size_t kTileBytes = (2 * kTile + 4 * kStreamTile) * sizeof(BFloat16);

  __device__ BFloat16* Own(int which) const { return DynamicShared<BFloat16>() + which * kTile; }
  __device__ BFloat16* Streamed(int stage, int which) const {
    return Own(2) + (2 * stage + which) * kStreamTile;
  }
  __device__ float* Floats() const { return reinterpret_cast<float*>(Streamed(2, 0)); }
};

// scores = bias and mask applied, in powers of 2.
template <bool kColumnsAreKeys, int kN>
__device__ __forceinline__ void FinishScores(const HeadBias& bias, const Visibility& visibility,
                                             ScorePlace place, float (&scores)[kN][4]) {
  AddBias<kColumnsAreKeys>(bias, place, scores);
  const bool needs_mask = kColumnsAreKeys
                              ? NeedsMask(visibility, place.row, 16, place.column, 8 * kN)
                              : NeedsMask(visibility, place.column, 8 * kN, place.row, 16);
  if (needs_mask) Mask<kColumnsAreKeys>(visibility, place, scores);
}

// Sums a warp's elements by their distance, row - column, and adds the sums to its bins.
//
// With s = 2p + e, element [n][2h + e] has the distance base + (g - s) - 8m, m = n - h. A lane
// first adds up its elements of each (m, e), then takes over those of the lane whose g is its own
// plus s modulo 8: their distances are base + g - 8m, or base + g - 8(m + 1) where g + s passed 8.
// Lanes of equal g then share one set of distances and add up across p, each keeping a quarter.
template <int kN>
__device__ __forceinline__ void AddDiagonals(const float (&values)[kN][4], int base,
                                             const DistanceBins& bins) {
  constexpr int kSums = (kN + 2 + 3) / 4 * 4;  // m from -1, rounded up to share out
  const int lane = LaneOf(), g = lane / 4, p = lane % 4;
  float sums[kSums] = {};
#pragma unroll
  for (int e = 0; e < 2; ++e) {
    const int source = g + 2 * p + e;
    const bool passed = source >= 8;
    float before = 0;
#pragma unroll
    for (int i = 0; i <= kN; ++i) {  // m = i - 1
      float sum = i > 0 ? values[i > 0 ? i - 1 : 0][e] : 0.0f;
      if (i < kN) sum += values[i < kN ? i : 0][2 + e];
      const float here = __shfl_sync(0xFFFFFFFFu, sum, source % 8 * 4 + p);
      sums[i] += passed ? before : here;
      before = here;
    }
    sums[kN + 1] += passed ? before : 0.0f;
  }
  const bool upper = p >= 2, odd = p % 2 == 1;
  float half[kSums / 2], quarter[kSums / 4];
#pragma unroll
  for (int i = 0; i < kSums / 2; ++i) {
    const float given = upper ? sums[i] : sums[kSums / 2 + i];
    half[i] = (upper ? sums[kSums / 2 + i] : sums[i]) + __shfl_xor_sync(0xFFFFFFFFu, given, 2);
  }
#pragma unroll
  for (int i = 0; i < kSums / 4; ++i) {
    const float given = odd ? half[i] : half[kSums / 4 + i];
    quarter[i] = (odd ? half[kSums / 4 + i] : half[i]) + __shfl_xor_sync(0xFFFFFFFFu, given, 1);
    const int m = p * (kSums / 4) + i - 1;
    bins.At(base + g - 8 * m) += quarter[i];
  }
  __syncwarp();
}

template <int kN>
__device__ __forceinline__ float SumOf(const float (&values)[kN][4]) {
  float sum = 0;
#pragma unroll
  for (int n = 0; n < kN; ++n) sum += (values[n][0] + values[n][1]) + (values[n][2] + values[n][3]);
  return sum;
}

// Bias gradient of a warp's keys (rows) and queries (columns).
template <int kN>
__device__ __forceinline__ void AddBiasGrad(const HeadBias& bias, ScorePlace place,
                                            const float (&dscores)[kN][4], const DistanceBins& bins,
                                            FarSums& far) {
  const int base = place.row - place.column, low = base - (8 * kN - 1), high = base + 15;
  if (bias.Varies(low, high)) {
    AddDiagonals(dscores, base, bins);
  } else if (high <= -bias.before) {
    far.before += SumOf(dscores);
  } else {
    far.after += SumOf(dscores);
  }
}

// Keys: a block holds 64 keys and their values and streams the queries that see them past.
template <int kDim>
struct KeysBlock {
  static constexpr int kQueries = kStream<kDim>;
  static constexpr int kN = kQueries / 8;
  const AttentionCall& call;
  const AttentionGradOperands<BFloat16>& o;
  const AttentionItem& item;
  GradMemory<kDim> memory = {};

  // Floats: statistics of two stages, bias, bins of four warps.
  static size_t FloatBytes(const AttentionCall& call) {
    return (4 * kQueries + call.num_distances() + 4 * BinsOf(call.num_distances())) * sizeof(float);
  }
  __device__ float2* Stats(int stage) const {
    return reinterpret_cast<float2*>(memory.Floats()) + stage * kQueries;
  }
  __device__ float* Bias() const { return memory.Floats() + 4 * kQueries; }
  __device__ float* Bins() const { return Bias() + call.num_distances(); }

  __device__ int64_t KeyAt(int64_t row) const {
    return (item.key_begin + row) * call.key_pitch + int64_t{HeadOfBlock(call)} * kDim;
  }

  __device__ __forceinline__ void StartKeys() const {
    const int count = item.num_keys - item.first;
    CopyTile<kDim, kTileRows>(o.k + KeyAt(item.first), call.key_pitch, count, memory.Own(0));
    CopyTile<kDim, kTileRows>(o.v + KeyAt(item.first), call.key_pitch, count, memory.Own(1));
  }
  __device__ __forceinline__ void StartQueries(int tile) const {
    const int count = item.num_queries - tile * kQueries, head = HeadOfBlock(call);
    const int64_t row = item.query_begin + int64_t{tile} * kQueries;
    const int64_t column = int64_t{head} * kDim;
    CopyTile<kDim, kQueries>(o.q + row * call.query_pitch + column, call.query_pitch, count,
                             memory.Streamed(tile % 2, 0));
    CopyTile<kDim, kQueries>(o.dout + row * call.width() + column, call.width(), count,
                             memory.Streamed(tile % 2, 1));
    CopyPerRow<kQueries>(o.stats + head * call.query_rows + row, count, Stats(tile % 2));
    CommitCopies();
  }

  // The keep factors of the warp's keys.
  __device__ __forceinline__ void LoadKeep(int own, float (&keep)[2]) const {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const int key = item.first + own + LaneOf() / 4 + 8 * h;
      keep[h] = 1;
      if (call.keep != nullptr && key < item.num_keys) {
        keep[h] = call.keep[HeadOfBlock(call) * call.key_rows + item.key_begin + key];
      }
    }
  }
};

// probs = 2^(score - lse); the columns are queries.
template <int kN>
__device__ __forceinline__ void ColumnProbs(const float2* stats, float (&probs)[kN][4]) {
#pragma unroll
  for (int n = 0; n < kN; ++n) {
    const float4 two = *reinterpret_cast<const float4*>(stats + 8 * n + LaneOf() % 4 * 2);
    probs[n][0] = FastExp2(probs[n][0] - two.x);
    probs[n][1] = FastExp2(probs[n][1] - two.z);
    probs[n][2] = FastExp2(probs[n][2] - two.x);
    probs[n][3] = FastExp2(probs[n][3] - two.z);
  }
}

// dscores = probs (keep dprobs - delta); rows are keys.
template <int kN>
__device__ __forceinline__ void ColumnDscores(const float2* stats, const float (&keep)[2],
                                              const float (&probs)[kN][4],
                                              float (&dscores)[kN][4]) {
#pragma unroll
  for (int n = 0; n < kN; ++n) {
    const float4 two = *reinterpret_cast<const float4*>(stats + 8 * n + LaneOf() % 4 * 2);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float delta = i % 2 == 0 ? two.y : two.w;
      dscores[n][i] = probs[n][i] * fmaf(keep[i / 2], dscores[n][i], -delta);
    }
  }
}

template <int kDim>
__global__ void __launch_bounds__(kTileThreads, 2)
    KeysKernel(const AttentionCall call, const AttentionItem* items,
               const AttentionGradOperands<BFloat16> o) {
  const AttentionItem item = items[ItemOfBlock(call)];
  const KeysBlock<kDim> block = {call, o, item};
  constexpr int kQueries = KeysBlock<kDim>::kQueries, kN = KeysBlock<kDim>::kN;
  const int own = FirstRowOfWarp(), rows = min(kTileRows, item.num_keys - item.first);
  const int num_bins = BinsOf(call.num_distances());
  const int first = (call.causal ? max(0, item.first - item.offset) : 0) / kQueries;
  const int tiles = (item.num_queries + kQueries - 1) / kQueries;
  const Visibility visibility = {call.causal, item.num_keys, item.offset + item.num_queries};
  if (first < tiles) {
    block.StartKeys();
    block.StartQueries(first);
  }
  const HeadBias bias = LoadBias(call, HeadOfBlock(call), block.Bias());
  for (int i = static_cast<int>(threadIdx.x); i < 4 * num_bins; i += kTileThreads) {
    block.Bins()[i] = 0;
  }
  const DistanceBins bins = {block.Bins() + own / 16 * num_bins, call.before, call.num_distances()};
  FarSums far;
  float keep[2], dk[kDim / 8][4] = {}, dv[kDim / 8][4] = {};
  block.LoadKeep(own, keep);
  const BFloat16* keys = block.memory.Own(0) + own * kPitch<kDim>;
  const BFloat16* values = block.memory.Own(1) + own * kPitch<kDim>;
  for (int tile = first; tile < tiles; ++tile) {
    WaitForCopies<0>();
    __syncthreads();  // the tile is there and everyone has done with the one before
    if (tile + 1 < tiles) block.StartQueries(tile + 1);
    if (own >= rows) continue;
    const BFloat16* queries = block.memory.Streamed(tile % 2, 0);
    const BFloat16* douts = block.memory.Streamed(tile % 2, 1);
    const ScorePlace place = {item.first + own, item.offset + tile * kQueries};
    float probs[kN][4], dscores[kN][4];
    Scores<kDim>(keys, queries, probs);
    FinishScores<false>(bias, visibility, place, probs);
    ColumnProbs(block.Stats(tile % 2), probs);
    AddWeighted<kDim>(probs, douts, dv);
    Scores<kDim>(values, douts, dscores);
    ColumnDscores(block.Stats(tile % 2), keep, probs, dscores);
    if (bias.exists) AddBiasGrad(bias, place, dscores, bins, far);
    AddWeighted<kDim>(dscores, queries, dk);
  }
  if (own < rows) {
    const float one[2] = {1, 1};
    const int64_t at = block.KeyAt(item.first + own);
    StoreRows<kDim>(dk, one, block.memory.Own(0) + own * kPitch<kDim>, rows - own, o.dk + at,
                    call.key_pitch);
    StoreRows<kDim>(dv, keep, block.memory.Own(1) + own * kPitch<kDim>, rows - own, o.dv + at,
                    call.key_pitch);
  }
  if (!bias.exists) return;
  __syncthreads();  // the bins were made 0 even where no tile came
  far.AddTo(bins);
  __syncthreads();
  SumBuckets(call, o, block.Bins(), 4);
}

// Queries: a block holds 64 queries and their dout and streams the keys that they see past.
template <int kDim>
struct QueriesBlock {
  static constexpr int kKeys = kStream<kDim>;
  static constexpr int kN = kKeys / 8;
  const AttentionCall& call;
  const AttentionGradOperands<BFloat16>& o;
  const AttentionItem& item;
  GradMemory<kDim> memory = {};

  // Floats: keep factors of two stages, bias.
  static size_t FloatBytes(const AttentionCall& call) {
    return (2 * kKeys + call.num_distances()) * sizeof(float);
  }
  __device__ float* Keep(int stage) const { return memory.Floats() + stage * kKeys; }
  __device__ float* Bias() const { return Keep(2); }

  // Of q and dq; of dout with the pitch of that.
  __device__ int64_t QueryAt(int64_t row, int64_t pitch) const {
    return (item.query_begin + row) * pitch + int64_t{HeadOfBlock(call)} * kDim;
  }

  __device__ __forceinline__ void StartQueries() const {
    const int count = item.num_queries - item.first;
    CopyTile<kDim, kTileRows>(o.q + QueryAt(item.first, call.query_pitch), call.query_pitch, count,
                              memory.Own(0));
    CopyTile<kDim, kTileRows>(o.dout + QueryAt(item.first, call.width()), call.width(), count,
                              memory.Own(1));
  }
  __device__ __forceinline__ void StartKeys(int tile) const {
    const int count = item.num_keys - tile * kKeys, head = HeadOfBlock(call);
    const int64_t row = item.key_begin + int64_t{tile} * kKeys;
    const int64_t at = row * call.key_pitch + int64_t{head} * kDim;
    CopyTile<kDim, kKeys>(o.k + at, call.key_pitch, count, memory.Streamed(tile % 2, 0));
    CopyTile<kDim, kKeys>(o.v + at, call.key_pitch, count, memory.Streamed(tile % 2, 1));
    if (call.keep != nullptr) {
      CopyPerRow<kKeys>(call.keep + head * call.key_rows + row, count, Keep(tile % 2));
    }
    CommitCopies();
  }

  // The statistics of the warp's queries.
  __device__ __forceinline__ void LoadStats(int own, float2 (&stats)[2]) const {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const int query = item.first + own + LaneOf() / 4 + 8 * h;
      stats[h] = make_float2(0, 0);
      if (query < item.num_queries) {
        stats[h] = o.stats[HeadOfBlock(call) * call.query_rows + item.query_begin + query];
      }
    }
  }
};

// dscores = probs (keep dprobs - delta) from scores; rows are queries.
template <int kN>
__device__ __forceinline__ void RowDscores(const float2 (&stats)[2], const float* keep,
                                           const float (&scores)[kN][4], float (&dscores)[kN][4]) {
#pragma unroll
  for (int n = 0; n < kN; ++n) {
    float2 factor = make_float2(1, 1);
    if (keep != nullptr) {
      factor = *reinterpret_cast<const float2*>(keep + 8 * n + LaneOf() % 4 * 2);
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float own_factor = i % 2 == 0 ? factor.x : factor.y;
      dscores[n][i] = FastExp2(scores[n][i] - stats[i / 2].x) *
                      fmaf(own_factor, dscores[n][i], -stats[i / 2].y);
    }
  }
}

template <int kDim>
__global__ void __launch_bounds__(kTileThreads, kDim <= 64 ? 3 : 2)
    QueriesKernel(const AttentionCall call, const AttentionItem* items,
                  const AttentionGradOperands<BFloat16> o) {
  const AttentionItem item = items[ItemOfBlock(call)];
  const QueriesBlock<kDim> block = {call, o, item};
  constexpr int kKeys = QueriesBlock<kDim>::kKeys, kN = QueriesBlock<kDim>::kN;
  const int own = FirstRowOfWarp(), rows = min(kTileRows, item.num_queries - item.first);
  const int position = item.offset + item.first;
  const int seen = call.causal ? min(item.num_keys, position + rows) : item.num_keys;
  const int tiles = (seen + kKeys - 1) / kKeys;
  const Visibility visibility = {call.causal, item.num_keys, INT32_MAX};
  if (tiles > 0) {
    block.StartQueries();
    block.StartKeys(0);
  }
  const HeadBias bias = LoadBias(call, HeadOfBlock(call), block.Bias());
  float dq[kDim / 8][4] = {};
  float2 stats[2];
  block.LoadStats(own, stats);
  const BFloat16* queries = block.memory.Own(0) + own * kPitch<kDim>;
  const BFloat16* douts = block.memory.Own(1) + own * kPitch<kDim>;
  for (int tile = 0; tile < tiles; ++tile) {
    WaitForCopies<0>();
    __syncthreads();  // the tile is there and everyone has done with the one before
    if (tile + 1 < tiles) block.StartKeys(tile + 1);
    if (own >= rows) continue;
    const BFloat16* keys = block.memory.Streamed(tile % 2, 0);
    float scores[kN][4], dscores[kN][4];
    Scores<kDim>(queries, keys, scores);
    FinishScores<true>(bias, visibility, {position + own, tile * kKeys}, scores);
    Scores<kDim>(douts, block.memory.Streamed(tile % 2, 1), dscores);
    RowDscores(stats, call.keep == nullptr ? nullptr : block.Keep(tile % 2), scores, dscores);
    AddWeighted<kDim>(dscores, keys, dq);
  }
  if (own >= rows) return;
  const float one[2] = {1, 1};
  StoreRows<kDim>(dq, one, block.memory.Own(0) + own * kPitch<kDim>, rows - own,
                  o.dq + block.QueryAt(item.first + own, call.query_pitch), call.query_pitch);
}

// stats of AttentionGradOperands, the sums taken from the output: eight threads for each (row,
// head).
template <class T>
__global__ void StatsKernel(const AttentionCall call, const T* dout, const T* out, const float* lse,
                            bool fours, float2* stats) {
  const int part = static_cast<int>(threadIdx.x) % 8;
  const int64_t count = DivideUp(call.query_rows * call.heads, 4) * 4;  // whole warps
  for (int64_t i = FirstItem() / 8; i < count; i += ItemStride() / 8) {
    const bool exists = i < call.query_rows * call.heads;
    const int64_t at = i * call.head_dim;
    float sum = 0;
    for (int d = 4 * part; exists && fours && d < call.head_dim; d += 32) {
      const float4 a = LoadFour(dout + at + d), b = LoadFour(out + at + d);
      sum += (a.x * b.x + a.y * b.y) + (a.z * b.z + a.w * b.w);
    }
    for (int d = part; exists && !fours && d < call.head_dim; d += 8) {
      sum += ToFloat(dout[at + d]) * ToFloat(out[at + d]);
    }
    for (int offset = 4; offset > 0; offset /= 2) {
      sum += __shfl_xor_sync(0xFFFFFFFFu, sum, offset);
    }
    if (exists && part == 0) {
      stats[i % call.heads * call.query_rows + i / call.heads] = make_float2(kLog2E * lse[i], sum);
    }
  }
}

// dbias [num_buckets, heads] += the sum of parts [heads][num_buckets][items], one warp each.
__global__ void BiasTotalKernel(const float* parts, int heads, int num_buckets, int64_t items,
                                float* dbias) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t i = FirstItem() / 32;
  if (i >= int64_t{heads} * num_buckets) return;
  double sum = 0;
  for (int64_t j = lane; j < items; j += 32) sum += static_cast<double>(parts[i * items + j]);
  sum = WarpSum(sum);
  float& total = dbias[i % num_buckets * heads + i / num_buckets];
  if (lane == 0) total = static_cast<float>(total + sum);
}

template <int kDim>
void Grad(Context& ctx, const AttentionSetup& setup, const AttentionGradOperands<BFloat16>& o) {
  const AttentionCall& call = setup.call();
  const size_t tile_bytes = GradMemory<kDim>::kTileBytes;
  Launch(ctx, setup.GridOf(1, kTileThreads, tile_bytes + KeysBlock<kDim>::FloatBytes(call)),
         KeysKernel<kDim>, call, setup.items(1), o);
  Launch(ctx, setup.GridOf(0, kTileThreads, tile_bytes + QueriesBlock<kDim>::FloatBytes(call)),
         QueriesKernel<kDim>, call, setup.items(0), o);
}

template <class T, class Out>
void StatsOfOutput(Context& ctx, const AttentionCall& call, const Out* out, const float* lse,
                   const AttentionGradOperands<T, Out>& o) {
  const bool fours = call.head_dim % 4 == 0 && IsAlignedForFour(o.dout) && IsAlignedForFour(out);
  Launch(ctx, GridFor(ctx, call.query_rows * call.heads * 8), StatsKernel<Out>, call, o.dout, out,
         lse, fours, o.stats);
}

template <class T, class Out>
void ChooseGrad(Context& ctx, const AttentionSetup& setup, bool on_tensor_cores, const Out* out,
                const float* lse, const AttentionGradOperands<T, Out>& o) {
  if constexpr (std::is_same_v<T, BFloat16>) {
    if (on_tensor_cores) {
      StatsOfOutput(ctx, setup.call(), out, lse, o);
      if (setup.call().head_dim == 32) return Grad<32>(ctx, setup, o);
      if (setup.call().head_dim == 64) return Grad<64>(ctx, setup, o);
      return Grad<128>(ctx, setup, o);
    }
  }
  if constexpr (std::is_same_v<Out, float>) {
    StatsOfOutput(ctx, setup.call(), out, lse, o);
  } else {
    PlainAttentionStats(ctx, setup, lse, o);
  }
  PlainAttentionGrad(ctx, setup, o);
}

}  // namespace

void AttentionGrad(Context& ctx, ConstView dout, ConstColumns q, ConstColumns k, ConstColumns v,
                   ConstView bias_table, ConstView out, ConstView lse, const AttentionSpec& spec,
                   Columns dq, Columns dk, Columns dv, View dbias_table) {
  if constexpr (kHaveCudnn) {
    if (spec.engine == AttentionEngine::kCudnn) {
      return CudnnCrossAttentionGrad(ctx, dout, q, k, v, {out, lse}, spec, {dq, dk, dv});
    }
  }
  if (HasRowsInNoSegment(spec.query_begin, spec.query_end, q.rows)) ZeroRows(ctx, dq, 0, dq.rows);
  if (HasRowsInNoSegment(spec.key_begin, spec.key_end, k.rows)) {
    ZeroRows(ctx, dk, 0, dk.rows);
    ZeroRows(ctx, dv, 0, dv.rows);
  }
  const bool on_tensor_cores = HasTensorCoreAttention(spec, {q, k, v, dout, dq, dk, dv});
  const int rows = on_tensor_cores ? kTileRows : kPlainRows;
  const std::vector<AttentionItem> key_tiles = KeyTiles(spec, rows);
  const AttentionSetup setup(ctx, q, k, bias_table, spec, {QueryTiles(spec, rows), key_tiles});
  const auto items = static_cast<int64_t>(key_tiles.size());
  const bool has_bias = bias_table.data != nullptr;
  Tensor stats(ctx, {2 * int64_t{spec.num_heads} * q.rows}, DType::kF32, MemoryKind::kWorkspace);
  Tensor parts(ctx, {has_bias ? spec.num_heads * spec.num_buckets * items : 0}, DType::kF32,
               MemoryKind::kWorkspace);
  VisitGpuTypes(q.dtype, dout.dtype, [&](auto in, auto gradient) {
    using T = decltype(in);
    using Out = decltype(gradient);
    ChooseGrad<T, Out>(ctx, setup, on_tensor_cores, out.As<Out>(), lse.As<float>(),
                       {.dout = dout.As<Out>(),
                        .q = q.As<T>(),
                        .k = k.As<T>(),
                        .v = v.As<T>(),
                        .stats = reinterpret_cast<float2*>(stats.view().data),
                        .dq = dq.As<Out>(),
                        .dk = dk.As<Out>(),
                        .dv = dv.As<Out>(),
                        .bias_parts = parts.As<float>(),
                        .bucket_begin = setup.bucket_begin(),
                        .bucket_end = setup.bucket_end(),
                        .num_buckets = has_bias ? spec.num_buckets : 0});
  });
  if (!has_bias) return;
  const int64_t warps = int64_t{spec.num_heads} * spec.num_buckets;
  const Grid grid = {.blocks = dim3(static_cast<unsigned>(DivideUp(warps, kTileThreads / 32))),
                     .threads = dim3(kTileThreads)};
  Launch(ctx, grid, BiasTotalKernel, parts.As<float>(), spec.num_heads, spec.num_buckets, items,
         dbias_table.As<float>());
}

}  // namespace frond::cuda
