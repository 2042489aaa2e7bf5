#include "core/ops/cpu/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace frond::cpu {
namespace {

// One (segment, head) at a time, one query at a time.
template <class T>
struct Problem {
  using A = Accumulator<T>;
  const AttentionSpec& spec;
  const T *q, *k, *v;
  const A* bias_table;  // null where there is none
  int64_t width;

  int head = 0;
  int64_t query_begin = 0, num_queries = 0, key_begin = 0, num_keys = 0, offset = 0;
  std::vector<A> keep;  // factor of each key's probabilities
  std::vector<int> buckets;

  void Enter(size_t segment, int new_head) {
    head = new_head;
    query_begin = spec.query_begin[segment];
    num_queries = spec.query_end[segment] - query_begin;
    key_begin = spec.key_begin[segment];
    num_keys = spec.key_end[segment] - key_begin;
    offset = spec.causal ? num_keys - num_queries : 0;
    keep.assign(num_keys, A{1});
    const A scale = A{1} / (A{1} - static_cast<A>(spec.dropout_rate));
    for (int64_t j = 0; spec.dropout_rate > 0 && j < num_keys; ++j) {
      const bool kept = AttentionDropoutKeeps(spec.dropout_key, spec.key_token_keys[key_begin + j],
                                              head, spec.dropout_rate);
      keep[j] = kept ? scale : A{0};
    }
    buckets.clear();
    for (int64_t i = 0; bias_table != nullptr && i < num_queries + num_keys; ++i) {
      buckets.push_back(RelativePositionBucket(i - num_queries - offset, spec.bidirectional,
                                               spec.num_buckets, spec.max_distance));
    }
  }
  int Bucket(int64_t query, int64_t key) const { return buckets[key - query + num_queries]; }
  int64_t VisibleKeys(int64_t query) const {
    return spec.causal ? std::min(num_keys, query + offset + 1) : num_keys;
  }
  const T* Query(int64_t i) const { return q + (query_begin + i) * width + head * spec.head_dim; }
  const T* Key(int64_t j) const { return k + (key_begin + j) * width + head * spec.head_dim; }
  const T* Value(int64_t j) const { return v + (key_begin + j) * width + head * spec.head_dim; }

  A Dot(const T* a, const T* b) const {
    A sum = 0;
    for (int i = 0; i < spec.head_dim; ++i) sum += static_cast<A>(a[i]) * static_cast<A>(b[i]);
    return sum;
  }
  A Score(int64_t i, int64_t j) const {
    A score = Dot(Query(i), Key(j));
    if (bias_table != nullptr) score += bias_table[Bucket(i, j) * spec.num_heads + head];
    return score;
  }
};

template <class T>
void ForwardQuery(const Problem<T>& p, int64_t i, std::vector<Accumulator<T>>& scores, T* out,
                  Accumulator<T>* lse) {
  using A = Accumulator<T>;
  const int64_t visible = p.VisibleKeys(i);
  A largest = -std::numeric_limits<A>::infinity();
  scores.resize(visible);
  for (int64_t j = 0; j < visible; ++j) {
    scores[j] = p.Score(i, j);
    largest = std::max(largest, scores[j]);
  }
  A sum = 0;
  std::vector<A> weighted(p.spec.head_dim, A{0});
  for (int64_t j = 0; j < visible; ++j) {
    const A e = std::exp(scores[j] - largest);
    sum += e;
    const A factor = e * p.keep[j];
    const T* value = p.Value(j);
    for (int c = 0; c < p.spec.head_dim; ++c) weighted[c] += factor * static_cast<A>(value[c]);
  }
  *lse = visible > 0 ? largest + std::log(sum) : A{0};
  for (int c = 0; c < p.spec.head_dim; ++c) {
    out[c] = static_cast<T>(visible > 0 ? weighted[c] / sum : A{0});
  }
}

template <class T>
void Forward(const Problem<T>& problem, T* out, Accumulator<T>* lse) {
  const AttentionSpec& spec = problem.spec;
  const auto items = static_cast<int64_t>(spec.query_begin.size()) * spec.num_heads;
#pragma omp parallel for schedule(dynamic)
  for (int64_t item = 0; item < items; ++item) {
    Problem<T> p = problem;
    p.Enter(item / spec.num_heads, static_cast<int>(item % spec.num_heads));
    std::vector<Accumulator<T>> scores;
    for (int64_t i = 0; i < p.num_queries; ++i) {
      const int64_t row = p.query_begin + i;
      ForwardQuery(p, i, scores, out + row * p.width + p.head * spec.head_dim,
                   lse + row * spec.num_heads + p.head);
    }
  }
}

template <class T>
struct Gradients {
  const T *dout, *out;
  const Accumulator<T>* lse;
  T *dq, *dk, *dv;
  Accumulator<T>* dbias;  // [items, num_buckets]; null where there is no bias
};

template <class T>
void BackwardItem(const Problem<T>& p, const Gradients<T>& g, double* dbias) {
  using A = Accumulator<T>;
  const int dim = p.spec.head_dim;
  std::vector<A> dk(p.num_keys * dim, A{0}), dv(p.num_keys * dim, A{0}), dq(dim);
  const auto at = [&](int64_t row) { return row * p.width + p.head * dim; };
  for (int64_t i = 0; i < p.num_queries; ++i) {
    const int64_t row = p.query_begin + i;
    const T *dout = g.dout + at(row), *query = p.Query(i);
    const A delta = p.Dot(dout, g.out + at(row));
    std::fill(dq.begin(), dq.end(), A{0});
    for (int64_t j = 0; j < p.VisibleKeys(i); ++j) {
      const T* key = p.Key(j);
      const A prob = std::exp(p.Score(i, j) - g.lse[row * p.spec.num_heads + p.head]);
      const A dscore = prob * (p.keep[j] * p.Dot(dout, p.Value(j)) - delta);
      if (dbias != nullptr) dbias[p.Bucket(i, j)] += dscore;
      for (int c = 0; c < dim; ++c) {
        dv[j * dim + c] += prob * p.keep[j] * static_cast<A>(dout[c]);
        dk[j * dim + c] += dscore * static_cast<A>(query[c]);
        dq[c] += dscore * static_cast<A>(key[c]);
      }
    }
    for (int c = 0; c < dim; ++c) g.dq[at(row) + c] = static_cast<T>(dq[c]);
  }
  for (int64_t j = 0; j < p.num_keys; ++j) {
    for (int c = 0; c < dim; ++c) {
      g.dk[at(p.key_begin + j) + c] = static_cast<T>(dk[j * dim + c]);
      g.dv[at(p.key_begin + j) + c] = static_cast<T>(dv[j * dim + c]);
    }
  }
}

template <class T>
void Backward(const Problem<T>& problem, const Gradients<T>& g) {
  const AttentionSpec& spec = problem.spec;
  const auto segments = static_cast<int64_t>(spec.query_begin.size());
  const int64_t items = segments * spec.num_heads;
  std::vector<double> partial(g.dbias == nullptr ? 0 : items * spec.num_buckets, 0.0);
#pragma omp parallel for schedule(dynamic)
  for (int64_t item = 0; item < items; ++item) {
    Problem<T> p = problem;
    p.Enter(item / spec.num_heads, static_cast<int>(item % spec.num_heads));
    BackwardItem(p, g, partial.empty() ? nullptr : partial.data() + item * spec.num_buckets);
  }
  if (partial.empty()) return;
  for (int64_t b = 0; b < spec.num_buckets; ++b) {
    for (int h = 0; h < spec.num_heads; ++h) {
      double sum = 0;
      for (int64_t s = 0; s < segments; ++s) {
        sum += partial[(s * spec.num_heads + h) * spec.num_buckets + b];
      }
      g.dbias[b * spec.num_heads + h] += static_cast<Accumulator<T>>(sum);
    }
  }
}

template <class T>
Problem<T> MakeProblem(ConstView q, ConstView k, ConstView v, ConstView bias_table,
                       const AttentionSpec& spec) {
  return {.spec = spec,
          .q = q.As<T>(),
          .k = k.As<T>(),
          .v = v.As<T>(),
          .bias_table = bias_table.data == nullptr ? nullptr : bias_table.As<Accumulator<T>>(),
          .width = q.dim(1),
          .keep = {},
          .buckets = {}};
}

void Zero(View view) { std::memset(view.data, 0, view.bytes()); }

}  // namespace

void Attention(Context&, ConstView q, ConstView k, ConstView v, ConstView bias_table,
               const AttentionSpec& spec, View out, View lse) {
  VisitFloatType(q.dtype, [&](auto type) {
    using T = decltype(type);
    Forward(MakeProblem<T>(q, k, v, bias_table, spec), out.As<T>(), lse.As<Accumulator<T>>());
  });
}

void AttentionGrad(Context&, ConstView dout, ConstView q, ConstView k, ConstView v,
                   ConstView bias_table, ConstView out, ConstView lse, const AttentionSpec& spec,
                   View dq, View dk, View dv, View dbias_table) {
  Zero(dq);
  Zero(dk);
  Zero(dv);
  VisitFloatType(q.dtype, [&](auto type) {
    using T = decltype(type);
    using A = Accumulator<T>;
    const Gradients<T> g{.dout = dout.As<T>(),
                         .out = out.As<T>(),
                         .lse = lse.As<A>(),
                         .dq = dq.As<T>(),
                         .dk = dk.As<T>(),
                         .dv = dv.As<T>(),
                         .dbias = dbias_table.data == nullptr ? nullptr : dbias_table.As<A>()};
    Backward(MakeProblem<T>(q, k, v, bias_table, spec), g);
  });
}

}  // namespace frond::cpu
