#include "core/ops/attention.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "core/base/build_config.h"
#include "core/base/check.h"
#include "core/base/philox.h"
#include "core/ops/cpu/attention.h"
#include "core/ops/cuda/attention.h"
#include "core/ops/dispatch.h"
#include "core/ops/dropout.h"
#include "core/ops/meta/op_memory.h"

namespace frond {
namespace {

void CheckSegments(int64_t queries, int64_t keys, const AttentionSpec& spec) {
  const size_t count = spec.query_begin.size();
  CHECK_EQ(spec.query_end.size(), count);
  CHECK_EQ(spec.key_begin.size(), count);
  CHECK_EQ(spec.key_end.size(), count);
  for (size_t s = 0; s < count; ++s) {
    CHECK(0 <= spec.query_begin[s] && spec.query_begin[s] <= spec.query_end[s] &&
          spec.query_end[s] <= queries)
        << "segment " << s << ": queries " << spec.query_begin[s] << " to " << spec.query_end[s]
        << " of " << queries;
    CHECK(0 <= spec.key_begin[s] && spec.key_begin[s] <= spec.key_end[s] && spec.key_end[s] <= keys)
        << "segment " << s << ": keys " << spec.key_begin[s] << " to " << spec.key_end[s] << " of "
        << keys;
    const int segment_queries = spec.query_end[s] - spec.query_begin[s];
    const int segment_keys = spec.key_end[s] - spec.key_begin[s];
    CHECK(!spec.causal || segment_keys == 0 || segment_queries <= segment_keys)
        << "segment " << s << ": " << segment_queries << " causal queries, " << segment_keys
        << " keys";
  }
}

void CheckOperands(ConstColumns q, ConstColumns k, ConstColumns v, ConstView bias_table,
                   const AttentionSpec& spec) {
  const int64_t width = int64_t{spec.num_heads} * spec.head_dim;
  CHECK_EQ(q.columns, width);
  CHECK_EQ(k.columns, width);
  CheckSameLayout(v, k);
  CHECK(k.dtype == q.dtype) << DTypeName(q.dtype) << " and " << DTypeName(k.dtype);
  const DType statistics = q.dtype == DType::kF64 ? DType::kF64 : DType::kF32;
  if (bias_table.data != nullptr) {
    CHECK_EQ(bias_table.shape, (Shape{spec.num_buckets, spec.num_heads}));
    CHECK(bias_table.dtype == statistics) << DTypeName(bias_table.dtype);
  }
  CHECK(spec.dropout_rate >= 0 && spec.dropout_rate < 1) << spec.dropout_rate;
  CHECK_GE(spec.first_head, 0);
  if (spec.dropout_rate > 0) {
    CHECK_EQ(static_cast<int64_t>(spec.key_token_keys.size()), k.rows);
  }
  CheckSegments(q.rows, k.rows, spec);
}

// Callers have asked CheckCudnnAttention.
void CheckEngine(const Context& ctx, DType dtype, ConstView bias_table, const AttentionSpec& spec) {
  if (spec.engine == AttentionEngine::kFrond) return;
  CHECK(ctx.stands_for() == Device::kCuda && (kHaveCudnn || ctx.device() == Device::kMeta));
  CHECK(dtype == DType::kBF16 && bias_table.data == nullptr && !spec.causal)
      << "cuDNN attends in bf16, without a bias, to all keys";
}

void CheckLse(ConstColumns q, ConstView lse, const AttentionSpec& spec) {
  CHECK_EQ(lse.shape, (Shape{q.rows, spec.num_heads}));
  CHECK(lse.dtype == (q.dtype == DType::kF64 ? DType::kF64 : DType::kF32)) << DTypeName(lse.dtype);
}

}  // namespace

int RelativePositionBucket(int64_t relative_position, bool bidirectional, int num_buckets,
                           int max_distance) {
  int first = 0;
  int64_t distance = -std::min<int64_t>(relative_position, 0);
  if (bidirectional) {
    num_buckets /= 2;
    first = relative_position > 0 ? num_buckets : 0;
    distance = std::abs(relative_position);
  }
  const int max_exact = num_buckets / 2;
  if (distance < max_exact) return first + static_cast<int>(distance);
  // The reference's order of f32 operations: another order moves some edges by one.
  const float ratio = static_cast<float>(distance) / static_cast<float>(max_exact);
  const float log_range =
      static_cast<float>(std::log(static_cast<double>(max_distance) / max_exact));
  const float steps = std::log(ratio) / log_range * static_cast<float>(num_buckets - max_exact);
  return first + std::min(max_exact + static_cast<int>(steps), num_buckets - 1);
}

bool AttentionDropoutKeeps(uint64_t key, uint64_t token_key, int head, float rate) {
  const uint32_t word = Philox(key, token_key, static_cast<uint64_t>(head / 8))[head % 8 / 2];
  return ((word >> (head % 2 * 16)) & 0xFFFFu) >= DropoutThreshold(rate);
}

double AttentionPairs(const AttentionSpec& spec) {
  double pairs = 0;
  for (size_t s = 0; s < spec.query_begin.size(); ++s) {
    const double queries = spec.query_end[s] - spec.query_begin[s];
    const double keys = spec.key_end[s] - spec.key_begin[s];
    pairs += queries * keys;
    if (spec.causal && keys > 0) pairs -= queries * (queries - 1) / 2;
  }
  return pairs * spec.num_heads;
}

void Attention(Context& ctx, ConstColumns q, ConstColumns k, ConstColumns v, ConstView bias_table,
               const AttentionSpec& spec, View out, View lse) {
  CheckOperands(q, k, v, bias_table, spec);
  CheckEngine(ctx, q.dtype, bias_table, spec);
  CheckSameShapeOrNarrower(out, q);
  CheckLse(q, lse, spec);
  ProfileScope profile(ctx.profiler(), "attention", 4.0 * spec.head_dim * AttentionPairs(spec));
  Dispatch<cpu::Attention, cuda::Attention, meta::Attention>(ctx, q, k, v, bias_table, spec, out,
                                                             lse);
}

void AttentionGrad(Context& ctx, ConstView dout, ConstColumns q, ConstColumns k, ConstColumns v,
                   ConstView bias_table, ConstView out, ConstView lse, const AttentionSpec& spec,
                   Columns dq, Columns dk, Columns dv, View dbias_table) {
  CheckOperands(q, k, v, bias_table, spec);
  CheckEngine(ctx, q.dtype, bias_table, spec);
  CheckSameShapeOrNarrower(dout, q);
  CheckSameShape(out, dout);
  CheckLse(q, lse, spec);
  CheckSameLayoutOrNarrower(dq, q);
  CheckSameLayoutOrNarrower(dk, k);
  CheckSameLayout(dv, dk);
  CHECK(dq.dtype == dout.dtype && dk.dtype == dout.dtype) << DTypeName(dout.dtype);
  CHECK_EQ(bias_table.data == nullptr, dbias_table.data == nullptr);
  if (bias_table.data != nullptr) CheckSameShape(dbias_table, bias_table);
  ProfileScope profile(ctx.profiler(), "attention", 10.0 * spec.head_dim * AttentionPairs(spec));
  Dispatch<cpu::AttentionGrad, cuda::AttentionGrad, meta::AttentionGrad>(
      ctx, dout, q, k, v, bias_table, out, lse, spec, dq, dk, dv, dbias_table);
}

}  // namespace frond
