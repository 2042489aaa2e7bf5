// What all attention kernels of one call share: the plan in device memory, dropout's factors and a
// head's bias by distance.
#pragma once

#include <initializer_list>
#include <vector>

#include "core/ops/attention_plan.h"
#include "core/ops/cuda/launch.cuh"

namespace frond::cuda {

constexpr float kLog2E = 1.4426950408889634f;
constexpr float kLn2 = 0.6931471805599453f;

struct AttentionCall {
  int heads, head_dim;
  bool causal;
  int64_t query_rows, key_rows;    // of q and k
  int64_t query_pitch, key_pitch;  // elements from row to row of q and dq; of k, v, dk and dv
  const float* bias_table;         // [num_buckets, heads], or null
  const int32_t* bucket;           // BiasDistances
  int before, after;
  const float* keep;  // [heads][key_rows], 0 or 1 / (1 - rate), or null

  __host__ __device__ int num_distances() const {
    return bias_table == nullptr ? 0 : before + 1 + after;
  }
  // From row to row of out and dout.
  __device__ int64_t width() const { return int64_t{heads} * head_dim; }
};

// The operands of forward and gradient; layouts as in core/ops/attention.h.
template <class T, class Out = T>
struct AttentionOperands {
  const T *q, *k, *v;
  Out* out;
  float* lse;
};
template <class T, class Out = T>
struct AttentionGradOperands {
  const Out* dout;
  const T *q, *k, *v;
  float2* stats;  // [heads][query_rows]: lse in units of log 2, the row's sum of p dp
  Out *dq, *dk, *dv;
  float* bias_parts;  // [heads][num_buckets][key tiles]
  const int32_t *bucket_begin, *bucket_end;
  int num_buckets;
};

// A head's bias by distance in shared memory, in units of log 2.
struct HeadBias {
  const float* by_distance;
  int before, after;
  bool exists;

  __device__ __forceinline__ float At(int distance) const {
    return by_distance[min(max(distance, -before), after) + before];
  }
  // Whether the distances from `low` to `high` have different biases; else Constant() has theirs.
  __device__ __forceinline__ bool Varies(int low, int high) const {
    return exists && high > -before && low < after;
  }
  __device__ __forceinline__ float Constant(int low) const { return exists ? At(low) : 0.0f; }
};

// shared [num_distances] is filled by all threads; to be read after the next barrier.
__device__ __forceinline__ HeadBias LoadBias(const AttentionCall& call, int head, float* shared) {
  const int count = call.num_distances();
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
    shared[i] = kLog2E * call.bias_table[call.bucket[i] * call.heads + head];
  }
  return {shared, call.before, call.after, count > 0};
}

// The item and head of this block: heads vary fastest, so that blocks start by falling work.
__device__ __forceinline__ int ItemOfBlock(const AttentionCall& call) {
  return static_cast<int>(blockIdx.x) / call.heads;
}
__device__ __forceinline__ int HeadOfBlock(const AttentionCall& call) {
  return static_cast<int>(blockIdx.x) % call.heads;
}

// What the kernels of one call read, in device memory.
class AttentionSetup {
 public:
  // `tiles`: lists of items, the i-th of which is then found at items(i).
  AttentionSetup(Context& ctx, ConstColumns q, ConstColumns k, ConstView bias_table,
                 const AttentionSpec& spec, const std::vector<std::vector<AttentionItem>>& tiles);

  const AttentionCall& call() const { return call_; }
  const AttentionItem* items(size_t list) const {
    return reinterpret_cast<const AttentionItem*>(words_ + list_begin_[list]);
  }
  const int32_t* bucket_begin() const { return words_ + bucket_begin_; }
  const int32_t* bucket_end() const { return bucket_begin() + num_buckets_; }
  // One block for each item and head.
  Grid GridOf(size_t list, int threads, size_t shared_bytes) const {
    return {.blocks = dim3(static_cast<unsigned>(list_size_[list] * call_.heads)),
            .threads = dim3(static_cast<unsigned>(threads)),
            .shared_bytes = shared_bytes};
  }

 private:
  AttentionCall call_ = {};
  std::vector<int64_t> list_begin_, list_size_;
  int64_t bucket_begin_ = 0;
  int num_buckets_ = 0;
  const int32_t* words_ = nullptr;  // of SentLists
  Tensor keep_;
};

// Whether the tensor cores' kernels can run: bf16, a head dim they have, 16-byte aligned rows.
bool HasTensorCoreAttention(const AttentionSpec& spec,
                            std::initializer_list<ConstColumns> operands);

// attention_plain.cu, for the types of VisitGpuTypes; head dims up to 256.
constexpr int kPlainRows = 32;
template <class T, class Out>
void PlainAttention(Context& ctx, const AttentionSetup& setup, const AttentionOperands<T, Out>& o);
// o.stats from the probabilities, for outputs that are rounded. List 0: query tiles.
template <class T, class Out>
void PlainAttentionStats(Context& ctx, const AttentionSetup& setup, const float* lse,
                         const AttentionGradOperands<T, Out>& o);
// List 0: query tiles, list 1: key tiles.
template <class T, class Out>
void PlainAttentionGrad(Context& ctx, const AttentionSetup& setup,
                        const AttentionGradOperands<T, Out>& o);

}  // namespace frond::cuda
