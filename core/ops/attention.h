// T5 attention: softmax(q k^T + bias) v without 1/sqrt(d) scaling, over segments laid end to end.
//
// Scores exist for one block of queries at a time, never for the whole batch (the online softmax of
// Milakov and Gimelshein, 2018; Dao et al., 2022). The relative-position bias (Raffel et al., 2020,
// section 2.1) is computed from its bucket table inside.
#pragma once

#include <cstdint>
#include <span>

#include "core/ops/attention_engine.h"
#include "core/tensor/columns.h"

namespace frond {

// T5's bucket of the signed distance `key position - query position`.
// Bidirectional: half of the buckets for each sign; else keys after the query share bucket 0. The
// first half of a direction is exact, the rest logarithmic up to `max_distance`, in f32 as the
// reference does.
int RelativePositionBucket(int64_t relative_position, bool bidirectional, int num_buckets,
                           int max_distance);

// Whether dropout keeps the probabilities of (key token, head), for every query. The draw is 16
// bits of Philox: counter (token_key, head / 8), half word number head % 8, counted from the low
// half of word 0. They are kept where the draw is at least DropoutThreshold (dropout.h) and then
// multiplied by 1 / (1 - rate).
bool AttentionDropoutKeeps(uint64_t key, uint64_t token_key, int head, float rate);

struct AttentionSpec {
  int num_heads = 1;
  int head_dim = 64;
  // The number of the call's first head among all heads of a layer whose heads are split over
  // ranks. Only the draws of dropout depend on it: a call gets the bits that its heads have in the
  // whole call.
  int first_head = 0;
  // A query sees keys up to its own position only. With fewer queries than keys in a segment, the
  // queries are its last positions (decoding with a cache); more are an error. Where not causal,
  // query i and key i of a segment have the same position.
  bool causal = false;
  // Segment s: query rows [query_begin[s], query_end[s]) attend to key rows [key_begin[s],
  // key_end[s]). Every query row belongs to exactly one segment.
  std::span<const int32_t> query_begin, query_end, key_begin, key_end;

  // Relative-position bias; ignored where `bias_table` passed to the op is empty.
  int num_buckets = 32;
  int max_distance = 128;
  bool bidirectional = true;

  // Dropout on the probabilities, one draw per (key token, first_head + head), the same for all
  // queries of the segment as T5X does it. `key_token_keys` [rows of k].
  float dropout_rate = 0;
  uint64_t dropout_key = 0;
  std::span<const uint64_t> key_token_keys;

  // What is not kFrond must be something that CheckCudnnAttention said yes to.
  AttentionEngine engine = AttentionEngine::kFrond;
};

// The number of (query, key, head) triples that a call computes: causal ones only up to the query's
// own position. Forward costs 4 head_dim FLOPs for each; backward 10, since it computes the scores
// again.
double AttentionPairs(const AttentionSpec& spec);

// out = attention(q, k, v). q, out [Tq, heads * head_dim]; k, v [Tk, heads * head_dim], all of one
// dtype, but out may be bf16 where the others are f32. q, k and v may be columns of wider
// matrices, k and v of the same pitch. bias_table [num_buckets, heads] f32 (f64 where q is f64) or
// an empty view. `lse` [Tq, heads] f32 (f64): the log of each query's sum of exponentials,
// assigned, kept for the gradient. A query row whose segment has no keys gets 0.
void Attention(Context& ctx, ConstColumns q, ConstColumns k, ConstColumns v, ConstView bias_table,
               const AttentionSpec& spec, View out, View lse);

// dq, dk, dv are assigned and lie as q, k and v do (of the same pitch), in the dtype that out and
// dout have; rows in no segment get 0. dbias_table [num_buckets, heads] (empty where there is no
// bias) is accumulated, in an order that does not depend on the number of threads. The row sums of
// p dp are taken from the probabilities, in the precision of statistics, except by the kernels of a
// GPU's tensor cores and cuDNN, which take them from the rounded `out`.
void AttentionGrad(Context& ctx, ConstView dout, ConstColumns q, ConstColumns k, ConstColumns v,
                   ConstView bias_table, ConstView out, ConstView lse, const AttentionSpec& spec,
                   Columns dq, Columns dk, Columns dv, View dbias_table);

}  // namespace frond
