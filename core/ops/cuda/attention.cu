#include "core/base/build_config.h"
#include "core/ops/cuda/attention.h"
#include "core/ops/cuda/attention_tiles.cuh"
#include "core/ops/cuda/cudnn_cross_attention.h"

namespace frond::cuda {
namespace {

constexpr int kKeys = 64;  // keys of a streamed tile
constexpr int kN = kKeys / 8;

// Shared memory: a tile of queries, two stages of keys and values, their factors, the bias.
template <int kDim>
struct ForwardMemory {
  static constexpr int kTile = kTileElements<kDim, kTileRows>;
  static size_t Bytes(const AttentionCall& call) {
    return 5 * kTile * sizeof(BFloat16) + (2 * kKeys + call.num_distances()) * sizeof(float);
  }
  __device__ BFloat16* Queries() const { return DynamicShared<BFloat16>(); }
  __device__ BFloat16* Keys(int stage) const { return Queries() + (1 + 2 * stage) * kTile; }
  __device__ BFloat16* Values(int stage) const { return Queries() + (2 + 2 * stage) * kTile; }
  __device__ float* Keep(int stage) const {
    return reinterpret_cast<float*>(Queries() + 5 * kTile) + stage * kKeys;
  }
  __device__ float* Bias() const { return Keep(2); }
};

// Starts the copies of tile `tile` of the item's keys.
template <int kDim>
__device__ __forceinline__ void StartKeys(const AttentionCall& call, const AttentionItem& item,
                                          const AttentionOperands<BFloat16>& o, int tile) {
  const ForwardMemory<kDim> memory;
  const int stage = tile % 2, head = HeadOfBlock(call);
  const int64_t row = item.key_begin + int64_t{tile} * kKeys;
  const int count = item.num_keys - tile * kKeys;
  const int64_t at = row * call.key_pitch + int64_t{head} * kDim;
  CopyTile<kDim, kKeys>(o.k + at, call.key_pitch, count, memory.Keys(stage));
  CopyTile<kDim, kKeys>(o.v + at, call.key_pitch, count, memory.Values(stage));
  if (call.keep != nullptr) {
    CopyPerRow<kKeys>(call.keep + head * call.key_rows + row, count, memory.Keep(stage));
  }
  CommitCopies();
}

// The online softmax of a warp's 16 queries (Milakov and Gimelshein, 2018), in powers of 2.
template <int kDim>
struct OnlineSoftmax {
  float largest[2] = {-INFINITY, -INFINITY};
  float sum[2] = {0, 0};  // of this thread's columns
  float out[kDim / 8][4] = {};

  // Turns scores into 2^(score - largest) and scales what is there to the new largest. Every query
  // sees the first key of its segment, so that no largest stays infinite.
  __device__ __forceinline__ void Add(float (&scores)[kN][4]) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      float top = largest[h];
#pragma unroll
      for (int n = 0; n < kN; ++n) top = fmaxf(top, fmaxf(scores[n][2 * h], scores[n][2 * h + 1]));
      top = fmaxf(top, __shfl_xor_sync(0xFFFFFFFFu, top, 1));
      top = fmaxf(top, __shfl_xor_sync(0xFFFFFFFFu, top, 2));
      const float scale = FastExp2(largest[h] - top);
      largest[h] = top;
      sum[h] *= scale;
#pragma unroll
      for (int n = 0; n < kN; ++n) {
#pragma unroll
        for (int e = 2 * h; e < 2 * h + 2; ++e) {
          scores[n][e] = FastExp2(scores[n][e] - top);
          sum[h] += scores[n][e];
        }
      }
#pragma unroll
      for (int n = 0; n < kDim / 8; ++n) {
        out[n][2 * h] *= scale;
        out[n][2 * h + 1] *= scale;
      }
    }
  }
};

// Multiplies each key's column by its factor.
__device__ __forceinline__ void DropKeys(const float* keep, float (&probs)[kN][4]) {
#pragma unroll
  for (int n = 0; n < kN; ++n) {
    const float2 factor = *reinterpret_cast<const float2*>(keep + 8 * n + LaneOf() % 4 * 2);
    probs[n][0] *= factor.x;
    probs[n][1] *= factor.y;
    probs[n][2] *= factor.x;
    probs[n][3] *= factor.y;
  }
}

// Writes the outputs of the warp's queries from `row` of o.out on, the first `count` of them.
template <int kDim>
__device__ __forceinline__ void StoreOutputs(const AttentionCall& call,
                                             const AttentionOperands<BFloat16>& o,
                                             const OnlineSoftmax<kDim>& softmax, int64_t row,
                                             int count) {
  const int head = HeadOfBlock(call), lane = LaneOf();
  float factor[2];
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    float sum = softmax.sum[h];
    sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 1);
    sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 2);
    factor[h] = sum > 0 ? 1.0f / sum : 0.0f;
    const int own = lane / 4 + 8 * h;
    if (lane % 4 == 0 && own < count) {
      o.lse[(row + own) * call.heads + head] =
          sum > 0 ? kLn2 * (softmax.largest[h] + log2f(sum)) : 0.0f;
    }
  }
  BFloat16* stage = ForwardMemory<kDim>().Queries() + FirstRowOfWarp() * kPitch<kDim>;
  StoreRows<kDim>(softmax.out, factor, stage, count,
                  o.out + row * call.width() + int64_t{head} * kDim, call.width());
}

template <int kDim>
__global__ void __launch_bounds__(kTileThreads, kDim <= 64 ? 3 : 2)
    ForwardKernel(const AttentionCall call, const AttentionItem* items,
                  const AttentionOperands<BFloat16> o) {
  const ForwardMemory<kDim> memory;
  const AttentionItem item = items[ItemOfBlock(call)];
  const int own = FirstRowOfWarp(), rows = min(kTileRows, item.num_queries - item.first);
  const int position = item.offset + item.first;
  const int seen = call.causal ? min(item.num_keys, position + rows) : item.num_keys;
  const int tiles = (seen + kKeys - 1) / kKeys;
  const Visibility visibility = {call.causal, item.num_keys, INT32_MAX};
  const HeadBias bias = LoadBias(call, HeadOfBlock(call), memory.Bias());
  const int64_t row = item.query_begin + item.first;
  OnlineSoftmax<kDim> softmax;
  uint32_t queries[kDim / 16][4];
  if (tiles > 0) {
    CopyTile<kDim, kTileRows>(o.q + row * call.query_pitch + int64_t{HeadOfBlock(call)} * kDim,
                              call.query_pitch, rows, memory.Queries());
    StartKeys<kDim>(call, item, o, 0);
    WaitForCopies<0>();
    __syncthreads();
#pragma unroll
    for (int k = 0; k < kDim / 16; ++k) {
      LoadLeft<kDim>(memory.Queries() + own * kPitch<kDim>, k, queries[k]);
    }
  }
  for (int tile = 0; tile < tiles; ++tile) {
    if (tile > 0) {
      WaitForCopies<0>();
      __syncthreads();  // the tile is there and everyone has done with the one before
    }
    if (tile + 1 < tiles) StartKeys<kDim>(call, item, o, tile + 1);
    if (own >= rows) continue;
    const int stage = tile % 2;
    const ScorePlace place = {position + own, tile * kKeys};
    float scores[kN][4] = {};
#pragma unroll
    for (int k = 0; k < kDim / 16; ++k) {
      MultiplyTransposed<kDim>(queries[k], memory.Keys(stage), k, scores);
    }
    AddBias<true>(bias, place, scores);
    if (NeedsMask(visibility, place.row, 16, place.column, kKeys)) {
      Mask<true>(visibility, place, scores);
    }
    softmax.Add(scores);
    if (call.keep != nullptr) DropKeys(memory.Keep(stage), scores);
    AddWeighted<kDim>(scores, memory.Values(stage), softmax.out);
  }
  if (own < rows) StoreOutputs<kDim>(call, o, softmax, row + own, rows - own);
}

template <int kDim>
void Forward(Context& ctx, const AttentionSetup& setup, const AttentionOperands<BFloat16>& o) {
  const size_t shared_bytes = ForwardMemory<kDim>::Bytes(setup.call());
  Launch(ctx, setup.GridOf(0, kTileThreads, shared_bytes), ForwardKernel<kDim>, setup.call(),
         setup.items(0), o);
}

}  // namespace

void Attention(Context& ctx, ConstColumns q, ConstColumns k, ConstColumns v, ConstView bias_table,
               const AttentionSpec& spec, View out, View lse) {
  if constexpr (kHaveCudnn) {
    if (spec.engine == AttentionEngine::kCudnn) {
      return CudnnCrossAttention(ctx, q, k, v, spec, out, lse);
    }
  }
  const bool on_tensor_cores = HasTensorCoreAttention(spec, {q, k, v, out});
  const AttentionSetup setup(ctx, q, k, bias_table, spec,
                             {QueryTiles(spec, on_tensor_cores ? kTileRows : kPlainRows)});
  VisitGpuTypes(q.dtype, out.dtype, [&](auto in, auto result) {
    using T = decltype(in);
    using Out = decltype(result);
    const AttentionOperands<T, Out> o = {q.As<T>(), k.As<T>(), v.As<T>(), out.As<Out>(),
                                         lse.As<float>()};
    if constexpr (std::is_same_v<T, BFloat16>) {
      if (on_tensor_cores && spec.head_dim == 32) return Forward<32>(ctx, setup, o);
      if (on_tensor_cores && spec.head_dim == 64) return Forward<64>(ctx, setup, o);
      if (on_tensor_cores) return Forward<128>(ctx, setup, o);
    }
    PlainAttention(ctx, setup, o);
  });
}

}  // namespace frond::cuda
