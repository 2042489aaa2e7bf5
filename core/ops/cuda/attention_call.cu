#include <cstring>

#include "core/base/philox.h"
#include "core/ops/cuda/attention_call.cuh"
#include "core/ops/cuda/sent_lists.h"
#include "core/ops/dropout.h"

namespace frond::cuda {
namespace {

// The distances of the last bias: layers of a stack share theirs.
struct LastDistances : BackendState {
  AttentionSpec spec = {.num_buckets = 0};
  BiasDistances distances;
};

const BiasDistances& DistancesOf(Context& ctx, const AttentionSpec& spec) {
  auto& last = ctx.Backend<LastDistances>();
  const AttentionSpec key = {.causal = spec.causal,
                             .num_buckets = spec.num_buckets,
                             .max_distance = spec.max_distance,
                             .bidirectional = spec.bidirectional};
  const bool same = last.spec.causal == key.causal && last.spec.num_buckets == key.num_buckets &&
                    last.spec.max_distance == key.max_distance &&
                    last.spec.bidirectional == key.bidirectional;
  if (!same) {
    last.distances = MakeBiasDistances(key);
    last.spec = key;
  }
  return last.distances;
}

template <class T>
void Append(const std::vector<T>& values, std::vector<int32_t>& words) {
  static_assert(sizeof(T) % sizeof(int32_t) == 0);
  const size_t begin = words.size();
  words.resize(begin + values.size() * sizeof(T) / sizeof(int32_t));
  if (!values.empty()) {
    std::memcpy(words.data() + begin, values.data(), values.size() * sizeof(T));
  }
}

// The groups of eight heads, counted from head 0 of all, that a call's heads touch.
struct HeadGroups {
  int first_head, heads;
  __host__ __device__ int64_t first() const { return first_head / 8; }
  __host__ __device__ int64_t count() const { return (first_head + heads + 7) / 8 - first(); }
};

// keep [heads][tokens]: one thread per (token, eight heads), which share a draw.
__global__ void KeepKernel(const uint64_t* token_keys, int64_t tokens, HeadGroups groups,
                           uint64_t key, uint32_t threshold, float scale, float* keep) {
  for (int64_t i = FirstItem(); i < tokens * groups.count(); i += ItemStride()) {
    const int64_t token = i % tokens, group = groups.first() + i / tokens;
    const std::array<uint32_t, 4> words =
        Philox(key, token_keys[token], static_cast<uint64_t>(group));
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      const int64_t head = 8 * group + j - groups.first_head;
      const uint32_t draw = (words[static_cast<size_t>(j / 2)] >> (j % 2 * 16)) & 0xFFFFu;
      if (head < 0 || head >= groups.heads) continue;
      keep[head * tokens + token] = draw >= threshold ? scale : 0.0f;
    }
  }
}

// keep [heads][key rows] of AttentionCall.
Tensor MakeKeep(Context& ctx, const AttentionSpec& spec, int64_t key_rows) {
  const uint64_t* token_keys = ctx.Backend<SentLists>().OnDevice(ctx, spec.key_token_keys);
  Tensor keep(ctx, {spec.num_heads, key_rows}, DType::kF32, MemoryKind::kWorkspace);
  const HeadGroups groups = {.first_head = spec.first_head, .heads = spec.num_heads};
  Launch(ctx, GridFor(ctx, key_rows * groups.count()), KeepKernel, token_keys, key_rows, groups,
         spec.dropout_key, DropoutThreshold(spec.dropout_rate), 1 / (1 - spec.dropout_rate),
         keep.As<float>());
  return keep;
}

}  // namespace

AttentionSetup::AttentionSetup(Context& ctx, ConstView q, ConstView k, ConstView bias_table,
                               const AttentionSpec& spec,
                               const std::vector<std::vector<AttentionItem>>& tiles) {
  std::vector<int32_t> words;
  for (const std::vector<AttentionItem>& list : tiles) {
    list_begin_.push_back(static_cast<int64_t>(words.size()));
    list_size_.push_back(static_cast<int64_t>(list.size()));
    Append(list, words);
  }
  call_ = {.heads = spec.num_heads,
           .head_dim = spec.head_dim,
           .causal = spec.causal,
           .query_rows = q.dim(0),
           .key_rows = k.dim(0)};
  int64_t buckets_at = 0;
  if (bias_table.data != nullptr) {
    const BiasDistances& distances = DistancesOf(ctx, spec);
    call_.bias_table = bias_table.As<float>();
    call_.before = distances.before;
    call_.after = distances.after;
    num_buckets_ = spec.num_buckets;
    buckets_at = static_cast<int64_t>(words.size());
    Append(distances.bucket, words);
    bucket_begin_ = static_cast<int64_t>(words.size());
    Append(distances.bucket_begin, words);
    Append(distances.bucket_end, words);
  }
  words_ = ctx.Backend<SentLists>().OnDevice(ctx, std::span<const int32_t>(words));
  call_.bucket = words_ + buckets_at;
  if (spec.dropout_rate > 0) {
    keep_ = MakeKeep(ctx, spec, k.dim(0));
    call_.keep = keep_.As<float>();
  }
}

bool HasTensorCoreAttention(const AttentionSpec& spec, std::initializer_list<ConstView> operands) {
  if (spec.head_dim != 32 && spec.head_dim != 64 && spec.head_dim != 128) return false;
  for (const ConstView& view : operands) {
    if (view.dtype != DType::kBF16 || reinterpret_cast<uintptr_t>(view.data) % 16 != 0) {
      return false;
    }
  }
  return true;
}

}  // namespace frond::cuda
