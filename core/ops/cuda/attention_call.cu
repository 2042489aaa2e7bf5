#include <cstring>

#include "core/ops/cuda/attention_call.cuh"
#include "core/ops/cuda/attention_keep.h"
#include "core/ops/cuda/sent_lists.h"

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

}  // namespace

AttentionSetup::AttentionSetup(Context& ctx, ConstColumns q, ConstColumns k, ConstView bias_table,
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
           .query_rows = q.rows,
           .key_rows = k.rows,
           .query_pitch = q.pitch,
           .key_pitch = k.pitch};
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
    keep_ = MakeKeep(ctx, spec, k.rows);
    call_.keep = keep_.As<float>();
  }
}

bool HasTensorCoreAttention(const AttentionSpec& spec,
                            std::initializer_list<ConstColumns> operands) {
  if (spec.head_dim != 32 && spec.head_dim != 64 && spec.head_dim != 128) return false;
  for (const ConstColumns& operand : operands) {
    if (operand.dtype != DType::kBF16 || operand.pitch % 8 != 0 ||
        reinterpret_cast<uintptr_t>(operand.data) % 16 != 0) {
      return false;
    }
  }
  return true;
}

}  // namespace frond::cuda
