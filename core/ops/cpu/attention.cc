#include "core/ops/cpu/attention.h"

#include <omp.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/ops/cpu/vector_kernels.h"
#include "core/ops/dropout.h"

namespace frond::cpu {
namespace {

int64_t SegmentQueries(const AttentionSpec& spec, int64_t s) {
  return spec.query_end[s] - spec.query_begin[s];
}
int64_t SegmentKeys(const AttentionSpec& spec, int64_t s) {
  return spec.key_end[s] - spec.key_begin[s];
}

// What distances between key and query occur, and the bucket of each.
struct Distances {
  explicit Distances(const AttentionSpec& spec) {
    for (size_t s = 0; s < spec.query_begin.size(); ++s) {
      const int64_t queries = SegmentQueries(spec, s), keys = SegmentKeys(spec, s);
      max_keys = std::max(max_keys, keys);
      before = std::max(before, spec.causal ? keys : queries);
    }
    after = (spec.causal ? 0 : max_keys) + kAttentionPadding;
  }
  int64_t count() const { return before + after; }
  std::vector<int> Buckets(const AttentionSpec& spec) const {
    std::vector<int> buckets(count());
    for (int64_t i = 0; i < count(); ++i) {
      buckets[i] = RelativePositionBucket(i - before, spec.bidirectional, spec.num_buckets,
                                          spec.max_distance);
    }
    return buckets;
  }

  int64_t max_keys = 0;
  int64_t before = 0;  // distance 0 is element `before`
  int64_t after = 0;
};

// bias[head][distance] from the table.
template <class A>
void SpreadBias(const A* table, const std::vector<int>& buckets, int num_heads, A* bias) {
  const auto count = static_cast<int64_t>(buckets.size());
  for (int64_t h = 0; h < num_heads; ++h) {
    for (int64_t i = 0; i < count; ++i) bias[h * count + i] = table[buckets[i] * num_heads + h];
  }
}

// Sets to 0 the rows of no segment.
void ZeroUncovered(const Context& ctx, std::span<const int32_t> begin, std::span<const int32_t> end,
                   Columns x) {
  if (ctx.device() == Device::kMeta) return;
  std::vector<char> covered(x.rows, 0);
  for (size_t s = 0; s < begin.size(); ++s) {
    std::fill(covered.begin() + begin[s], covered.begin() + end[s], 1);
  }
  const size_t element = DTypeSize(x.dtype);
  for (int64_t row = 0; row < x.rows; ++row) {
    if (covered[row]) continue;
    std::memset(static_cast<char*>(x.data) + row * x.pitch * element, 0, x.columns * element);
  }
}

// The parts of AttentionHead that forward and gradient share.
template <class T>
struct Problem {
  const AttentionSpec& spec;
  const T *q, *k, *v;
  int64_t query_pitch, key_pitch;  // of q and dq; of k, v, dk and dv
  const Accumulator<T>* bias;      // [heads][distances.count()], or null
  const Distances& distances;

  int64_t QueryAt(int64_t segment, int head) const {
    return spec.query_begin[segment] * query_pitch + int64_t{head} * spec.head_dim;
  }
  int64_t KeyAt(int64_t segment, int head) const {
    return spec.key_begin[segment] * key_pitch + int64_t{head} * spec.head_dim;
  }
  // Of out and dout.
  int64_t OutAt(int64_t segment, int head) const {
    return (int64_t{spec.query_begin[segment]} * spec.num_heads + head) * spec.head_dim;
  }

  template <class Out>
  AttentionHead<T, Out> Head(int64_t segment, int head) const {
    AttentionHead<T, Out> h;
    h.num_queries = SegmentQueries(spec, segment);
    h.num_keys = SegmentKeys(spec, segment);
    h.head_dim = spec.head_dim;
    h.query_stride = query_pitch;
    h.key_stride = key_pitch;
    h.out_stride = int64_t{spec.num_heads} * spec.head_dim;
    h.causal = spec.causal;
    h.offset = spec.causal ? h.num_keys - h.num_queries : 0;
    h.q = q + QueryAt(segment, head);
    h.k = k + KeyAt(segment, head);
    h.v = v + KeyAt(segment, head);
    if (bias != nullptr) h.bias = bias + head * distances.count() + distances.before;
    if (spec.dropout_rate > 0) {
      h.token_keys = spec.key_token_keys.data() + spec.key_begin[segment];
      h.dropout_key = spec.dropout_key;
      h.head = spec.first_head + head;
      h.dropout_threshold = DropoutThreshold(spec.dropout_rate);
      h.keep_scale = 1 / (1 - static_cast<Accumulator<T>>(spec.dropout_rate));
    }
    return h;
  }
};

// `bias` is MakeBias's; everything is borrowed.
template <class T>
Problem<T> MakeProblem(ConstColumns q, ConstColumns k, ConstColumns v, const Tensor& bias,
                       const AttentionSpec& spec, const Distances& distances) {
  return {.spec = spec,
          .q = q.As<T>(),
          .k = k.As<T>(),
          .v = v.As<T>(),
          .query_pitch = q.pitch,
          .key_pitch = k.pitch,
          .bias = bias.empty() ? nullptr : bias.As<Accumulator<T>>(),
          .distances = distances};
}

// Calls body(segment, head, scratch) for each, in parallel. `scratch` [elements] of T's accumulator
// is the thread's own.
template <class A, class Body>
void ForEachHead(Context& ctx, const AttentionSpec& spec, int64_t elements, const Body& body) {
  const int64_t items = static_cast<int64_t>(spec.query_begin.size()) * spec.num_heads;
  const int threads =
      std::max(1, static_cast<int>(std::min<int64_t>(omp_get_max_threads(), items)));
  elements = (elements + 63) / 64 * 64;
  Tensor scratch(ctx, {threads, elements}, DTypeOf<A>::kValue, MemoryKind::kWorkspace);
  if (ctx.device() == Device::kMeta) return;
  A* data = scratch.As<A>();
#pragma omp parallel for schedule(dynamic) num_threads(threads)
  for (int64_t item = 0; item < items; ++item) {
    body(item / spec.num_heads, static_cast<int>(item % spec.num_heads),
         data + omp_get_thread_num() * elements);
  }
}

template <class A>
Tensor MakeBias(Context& ctx, ConstView table, const AttentionSpec& spec,
                const std::vector<int>& buckets) {
  if (table.data == nullptr) return {};
  Tensor bias(ctx, {spec.num_heads, static_cast<int64_t>(buckets.size())}, table.dtype,
              MemoryKind::kWorkspace);
  if (ctx.device() == Device::kMeta) return bias;
  SpreadBias(table.As<A>(), buckets, spec.num_heads, bias.As<A>());
  return bias;
}

void RunForward(const AttentionHead<float>& h) { BestVectorKernels().attention_f32(h); }
void RunForward(const AttentionHead<BFloat16>& h) { BestVectorKernels().attention_bf16(h); }
void RunForward(const AttentionHead<double>& h) { BestVectorKernels().attention_f64(h); }
void RunForward(const AttentionHead<float, BFloat16>& h) {
  BestVectorKernels().attention_f32_to_bf16(h);
}
void RunBackward(const AttentionHead<float>& h) { BestVectorKernels().attention_grad_f32(h); }
void RunBackward(const AttentionHead<BFloat16>& h) { BestVectorKernels().attention_grad_bf16(h); }
void RunBackward(const AttentionHead<double>& h) { BestVectorKernels().attention_grad_f64(h); }
void RunBackward(const AttentionHead<float, BFloat16>& h) {
  BestVectorKernels().attention_grad_f32_to_bf16(h);
}

// Calls body with values of the types of q and of out.
template <class Body>
void VisitTypes(DType q, DType out, const Body& body) {
  if (q == DType::kF32 && out == DType::kBF16) return body(float{}, BFloat16{});
  VisitFloatType(q, [&](auto type) { body(type, type); });
}

template <class T, class Out>
void Forward(Context& ctx, const Problem<T>& problem, Out* out, Accumulator<T>* lse) {
  using A = Accumulator<T>;
  const AttentionSpec& spec = problem.spec;
  const int64_t elements = AttentionScratch(problem.distances.max_keys, spec.head_dim);
  ForEachHead<A>(ctx, spec, elements, [&](int64_t segment, int head, A* scratch) {
    AttentionHead<T, Out> h = problem.template Head<Out>(segment, head);
    h.out = out + problem.OutAt(segment, head);
    h.lse = lse + int64_t{spec.query_begin[segment]} * spec.num_heads + head;
    h.lse_stride = spec.num_heads;
    h.scratch = scratch;
    RunForward(h);
  });
}

template <class T, class Out>
struct Gradients {
  const Out* dout;
  const Accumulator<T>* lse;
  Out *dq, *dk, *dv;
  double* dbias;  // [segments][heads][num_buckets], or null
};

// Sums the gradient of each distance into its bucket's, and makes it zero again.
template <class A>
void GatherBuckets(const std::vector<int>& buckets, A* by_distance, double* by_bucket) {
  for (size_t i = 0; i < buckets.size(); ++i) {
    by_bucket[buckets[i]] += by_distance[i];
    by_distance[i] = 0;
  }
}

template <class T, class Out>
void Backward(Context& ctx, const Problem<T>& problem, const std::vector<int>& buckets,
              const Gradients<T, Out>& g) {
  using A = Accumulator<T>;
  const AttentionSpec& spec = problem.spec;
  const int64_t own = (AttentionScratch(problem.distances.max_keys, spec.head_dim) + 63) / 64 * 64;
  const int64_t elements = own + problem.distances.count();
  ForEachHead<A>(ctx, spec, elements, [&](int64_t segment, int head, A* scratch) {
    AttentionHead<T, Out> h = problem.template Head<Out>(segment, head);
    const int64_t query_at = problem.QueryAt(segment, head), out_at = problem.OutAt(segment, head);
    const int64_t key_at = problem.KeyAt(segment, head);
    h.lse = const_cast<A*>(g.lse) + int64_t{spec.query_begin[segment]} * spec.num_heads + head;
    h.lse_stride = spec.num_heads;
    h.dout = g.dout + out_at;
    h.dq = g.dq + query_at;
    h.dk = g.dk + key_at;
    h.dv = g.dv + key_at;
    h.scratch = scratch;
    A* by_distance = scratch + own;
    if (g.dbias != nullptr) {
      std::fill(by_distance, by_distance + buckets.size(), A{0});
      h.dbias = by_distance + problem.distances.before;
    }
    RunBackward(h);
    if (g.dbias != nullptr) {
      GatherBuckets(buckets, by_distance,
                    g.dbias + (segment * spec.num_heads + head) * spec.num_buckets);
    }
  });
}

// dtable [num_buckets, heads] += the sum over segments, in their order.
template <class A>
void AddBuckets(const std::vector<double>& by_segment, const AttentionSpec& spec, A* dtable) {
  const auto segments = static_cast<int64_t>(spec.query_begin.size());
  for (int64_t b = 0; b < spec.num_buckets; ++b) {
    for (int64_t h = 0; h < spec.num_heads; ++h) {
      double sum = 0;
      for (int64_t s = 0; s < segments; ++s) {
        sum += by_segment[(s * spec.num_heads + h) * spec.num_buckets + b];
      }
      dtable[b * spec.num_heads + h] += static_cast<A>(sum);
    }
  }
}

}  // namespace

void Attention(Context& ctx, ConstColumns q, ConstColumns k, ConstColumns v, ConstView bias_table,
               const AttentionSpec& spec, View out, View lse) {
  const Distances distances(spec);
  std::vector<int> buckets;
  if (bias_table.data != nullptr) buckets = distances.Buckets(spec);
  VisitTypes(q.dtype, out.dtype, [&](auto in, auto result) {
    using T = decltype(in);
    using A = Accumulator<T>;
    const Tensor bias = MakeBias<A>(ctx, bias_table, spec, buckets);
    const Problem<T> problem = MakeProblem<T>(q, k, v, bias, spec, distances);
    Forward(ctx, problem, out.As<decltype(result)>(), lse.As<A>());
  });
}

void AttentionGrad(Context& ctx, ConstView dout, ConstColumns q, ConstColumns k, ConstColumns v,
                   ConstView bias_table, ConstView /*out*/, ConstView lse,
                   const AttentionSpec& spec, Columns dq, Columns dk, Columns dv,
                   View dbias_table) {
  const Distances distances(spec);
  std::vector<int> buckets;
  std::vector<double> by_segment;
  if (bias_table.data != nullptr) {
    buckets = distances.Buckets(spec);
    by_segment.assign(spec.query_begin.size() * spec.num_heads * spec.num_buckets, 0.0);
  }
  ZeroUncovered(ctx, spec.query_begin, spec.query_end, dq);
  ZeroUncovered(ctx, spec.key_begin, spec.key_end, dk);
  ZeroUncovered(ctx, spec.key_begin, spec.key_end, dv);
  VisitTypes(q.dtype, dout.dtype, [&](auto in, auto gradient) {
    using T = decltype(in);
    using A = Accumulator<T>;
    using Out = decltype(gradient);
    const Tensor bias = MakeBias<A>(ctx, bias_table, spec, buckets);
    const Problem<T> problem = MakeProblem<T>(q, k, v, bias, spec, distances);
    Backward(ctx, problem, buckets,
             Gradients<T, Out>{.dout = dout.As<Out>(),
                               .lse = lse.As<A>(),
                               .dq = dq.As<Out>(),
                               .dk = dk.As<Out>(),
                               .dv = dv.As<Out>(),
                               .dbias = by_segment.empty() ? nullptr : by_segment.data()});
    if (ctx.device() == Device::kMeta) return;
    if (!by_segment.empty()) AddBuckets(by_segment, spec, dbias_table.As<A>());
  });
}

}  // namespace frond::cpu
