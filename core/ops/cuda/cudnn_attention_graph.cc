#include "core/ops/cuda/cudnn_attention_graph.h"

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"

namespace frond::cuda {
namespace {

using Id = CudnnGraph::Id;
using Dims = CudnnGraph::Dims;
constexpr cudnnDataType_t kData = CUDNN_DATA_BFLOAT16;

// The parts that forward and gradient share. Every tensor that is not named in `ids` is virtual.
class GraphMaker {
 public:
  GraphMaker(const CudnnLibrary& cudnn, const CudnnSegments& segments,
             const CudnnAttentionOptions& options)
      : s_(segments), options_(options), made_{CudnnGraph(cudnn), {}} {
    if (!s_.packed) return;
    ids().query_lengths = Whole({s_.batch, 1, 1, 1}, {1, 1, 1, 1}, CUDNN_DATA_INT32);
    ids().key_lengths = Whole({s_.batch, 1, 1, 1}, {1, 1, 1, 1}, CUDNN_DATA_INT32);
  }

  CudnnAttentionIds& ids() { return made_.ids; }
  CudnnGraph& graph() { return made_.graph; }
  CudnnAttentionGraph Take() { return std::move(made_); }
  int64_t width() const { return s_.width(); }

  // How rows of heads lie.
  struct RowsSpec {
    bool of_keys = false;
    int64_t pitch;
    bool transposed = false;
    cudnnDataType_t type = kData;
    bool is_virtual = false;
  };
  // Rows of heads, as in [rows, heads * head_dim]: dims [batch, heads, length, head_dim], the last
  // two exchanged where transposed.
  Id Rows(const RowsSpec& spec) {
    const int64_t length = spec.of_keys ? s_.longest_key : s_.longest_query;
    Dims dims = {s_.batch, s_.heads, length, s_.head_dim};
    Dims strides = {length * spec.pitch, s_.head_dim, spec.pitch, 1};
    if (spec.transposed) {
      std::swap(dims[2], dims[3]);
      std::swap(strides[2], strides[3]);
    }
    return graph().Tensor({.dims = dims,
                           .strides = strides,
                           .type = spec.type,
                           .is_virtual = spec.is_virtual,
                           .offsets = OffsetsOf(spec.of_keys, spec.pitch)});
  }
  // out, dout, and q or dq.
  Id DenseRows() { return Rows({.pitch = s_.width()}); }
  Id QueryRows() { return Rows({.pitch = s_.pitches.q}); }
  // One number for each query and head.
  Id PerQuery() {
    return graph().Tensor(
        {.dims = {s_.batch, s_.heads, s_.longest_query, 1},
         .strides = s_.packed ? Dims{s_.longest_query * s_.heads, 1, s_.heads, 1} : QueryStrides(),
         .offsets = OffsetsOf(/*of_keys=*/false, s_.heads)});
  }
  Id VirtualPerQuery() {
    return graph().Tensor({.dims = {s_.batch, s_.heads, s_.longest_query, 1},
                           .strides = QueryStrides(),
                           .is_virtual = true});
  }
  // dq in f32.
  Id QuerySum() {
    if (s_.packed) return Rows({.pitch = s_.width(), .type = CUDNN_DATA_FLOAT});
    const int64_t head = s_.longest_query * s_.head_dim;
    return Whole({s_.batch, s_.heads, s_.longest_query, s_.head_dim},
                 {s_.heads * head, head, s_.head_dim, 1}, CUDNN_DATA_FLOAT);
  }
  Id Bias() {
    const int64_t scores = s_.longest_query * s_.longest_key;
    return Whole({1, s_.heads, s_.longest_query, s_.longest_key},
                 {s_.heads * scores, scores, s_.longest_key, 1}, kData);
  }
  // A number for each pair of query and key, inside the kernel.
  Id Scores(cudnnDataType_t type = CUDNN_DATA_FLOAT) {
    const int64_t scores = s_.longest_query * s_.longest_key;
    return graph().Tensor({.dims = {s_.batch, s_.heads, s_.longest_query, s_.longest_key},
                           .strides = {s_.heads * scores, scores, s_.longest_key, 1},
                           .type = type,
                           .is_virtual = true});
  }
  // Scores in bf16 with queries and keys exchanged.
  Id Transposed(Id scores) {
    const int64_t count = s_.longest_query * s_.longest_key;
    const Id y = graph().Tensor({.dims = {s_.batch, s_.heads, s_.longest_key, s_.longest_query},
                                 .strides = {s_.heads * count, count, 1, s_.longest_key},
                                 .type = kData,
                                 .is_virtual = true});
    graph().Reshape(scores, y);
    return y;
  }
  Id Number() {
    return graph().Tensor({.dims = {1, 1, 1, 1}, .strides = {1, 1, 1, 1}, .by_value = true});
  }
  Id Whole(const Dims& dims, const Dims& strides, cudnnDataType_t type) {
    return graph().Tensor({.dims = dims, .strides = strides, .type = type});
  }

  Id Compute(const CudnnGraph::PointwiseSpec& spec, cudnnDataType_t type = CUDNN_DATA_FLOAT) {
    const Id y = Scores(type);
    graph().Pointwise(spec, y);
    return y;
  }

  // By one, where the gradient's graph needs it: T5 does not scale.
  Id Scaled(Id scores) {
    if (ids().scale == CudnnGraph::kNone) return scores;
    return Compute({.mode = CUDNN_POINTWISE_MUL, .x = scores, .b = ids().scale});
  }

  // q k^T + bias.
  Id BiasedScores() {
    Id scores = Scores();
    graph().MatMul({.a = ids().q,
                    .b = ids().k,
                    .m_length = ids().query_lengths,
                    .n_length = ids().key_lengths},
                   scores);
    scores = Scaled(scores);
    if (options_.bias) {
      ids().bias = Bias();
      scores = Compute({.mode = CUDNN_POINTWISE_ADD, .x = scores, .b = ids().bias});
    }
    return scores;
  }
  // Minus infinity for what no query sees: padding, and keys behind a causal query.
  Id Masked(Id scores) {
    if (!s_.packed && !s_.causal) return scores;
    ids().minus_infinity = Number();
    if (s_.packed) {
      const Id row = Below(scores, 2, ids().query_lengths);
      const Id column = Below(scores, 3, ids().key_lengths);
      const Id inside = Compute({.mode = CUDNN_POINTWISE_LOGICAL_AND,
                                 .x = row,
                                 .b = column,
                                 .compute = CUDNN_DATA_BOOLEAN},
                                CUDNN_DATA_BOOLEAN);
      scores = Select(scores, inside);
    }
    if (s_.causal) {
      const Id row = Index(scores, 2), column = Index(scores, 3);
      const Id seen = Compute(
          {.mode = CUDNN_POINTWISE_CMP_GE, .x = row, .b = column, .compute = CUDNN_DATA_BOOLEAN},
          CUDNN_DATA_BOOLEAN);
      scores = Select(scores, seen);
    }
    return scores;
  }

 private:
  Id OffsetsOf(bool of_keys, int64_t pitch) {
    if (!s_.packed) return CudnnGraph::kNone;
    for (const CudnnAttentionIds::Offsets& known : ids().offsets) {
      if (known.of_keys == of_keys && known.pitch == pitch) return known.id;
    }
    const Id id = Whole({s_.batch + 1, 1, 1, 1}, {1, 1, 1, 1}, CUDNN_DATA_INT64);
    ids().offsets.push_back({id, of_keys, pitch});
    return id;
  }
  Dims QueryStrides() const { return {s_.heads * s_.longest_query, s_.longest_query, 1, 1}; }
  Id Index(Id scores, int64_t axis) {
    return Compute(
        {.mode = CUDNN_POINTWISE_GEN_INDEX, .x = scores, .compute = CUDNN_DATA_INT32, .axis = axis},
        CUDNN_DATA_INT32);
  }
  Id Below(Id scores, int64_t axis, Id lengths) {
    const Id index = Index(scores, axis);
    return Compute(
        {.mode = CUDNN_POINTWISE_CMP_LT, .x = index, .b = lengths, .compute = CUDNN_DATA_BOOLEAN},
        CUDNN_DATA_BOOLEAN);
  }
  Id Select(Id scores, Id predicate) {
    return Compute({.mode = CUDNN_POINTWISE_BINARY_SELECT,
                    .x = scores,
                    .b = ids().minus_infinity,
                    .predicate = predicate});
  }

  const CudnnSegments& s_;
  const CudnnAttentionOptions& options_;
  CudnnAttentionGraph made_;
};

// Longest and total length; whether all are equal. Segments without gaps only.
struct Lengths {
  int64_t longest = 0, rows = 0;
  bool equal = true;
};
absl::StatusOr<Lengths> ReadLengths(std::span<const int32_t> begin, std::span<const int32_t> end) {
  Lengths lengths;
  for (size_t i = 0; i < begin.size(); ++i) {
    if (begin[i] != lengths.rows) {
      return absl::InvalidArgumentError(
          absl::StrCat("segment ", i, " begins at row ", begin[i],
                       ", not where the last one ended: ", lengths.rows));
    }
    const int64_t length = end[i] - begin[i];
    if (length < 1) return absl::InvalidArgumentError(absl::StrCat("segment ", i, " is empty"));
    lengths.equal = lengths.equal && (i == 0 || length == lengths.longest);
    lengths.longest = std::max(lengths.longest, length);
    lengths.rows = end[i];
  }
  return lengths;
}

CudnnAttentionGraph ForwardGraph(GraphMaker make, const CudnnPitches& pitches) {
  CudnnAttentionIds& ids = make.ids();
  CudnnGraph& graph = make.graph();
  ids.q = make.QueryRows();
  ids.k = make.Rows({.of_keys = true, .pitch = pitches.k, .transposed = true});
  ids.v = make.Rows({.of_keys = true, .pitch = pitches.v});
  ids.out = make.DenseRows();
  ids.stats = make.PerQuery();
  const Id scores = make.Masked(make.BiasedScores());
  // The softmax: exp(s - max) / sum, and max + log(sum).
  const Id most = make.VirtualPerQuery(), sum = make.VirtualPerQuery(),
           log_sum = make.VirtualPerQuery();
  graph.Reduce(CUDNN_REDUCE_TENSOR_MAX, scores, most);
  const Id below = make.Compute({.mode = CUDNN_POINTWISE_SUB, .x = scores, .b = most});
  const Id exponentials = make.Compute({.mode = CUDNN_POINTWISE_EXP, .x = below});
  graph.Reduce(CUDNN_REDUCE_TENSOR_ADD, exponentials, sum);
  graph.Pointwise({.mode = CUDNN_POINTWISE_LOG, .x = sum}, log_sum);
  graph.Pointwise({.mode = CUDNN_POINTWISE_ADD, .x = most, .b = log_sum}, ids.stats);
  const Id probabilities =
      make.Compute({.mode = CUDNN_POINTWISE_DIV, .x = exponentials, .b = sum}, kData);
  graph.MatMul(
      {.a = probabilities, .b = ids.v, .m_length = ids.query_lengths, .k_length = ids.key_lengths},
      ids.out);
  return make.Take();
}

// Each query's sum of dout * out, an f32 tensor in memory. The product with one is part of the
// pattern.
void MakeRowSums(GraphMaker& make) {
  CudnnAttentionIds& ids = make.ids();
  const Id products =
      make.Rows({.pitch = make.width(), .type = CUDNN_DATA_FLOAT, .is_virtual = true});
  const Id sums = make.VirtualPerQuery();
  ids.row_sums = make.PerQuery();
  ids.one = make.Number();
  make.graph().Pointwise({.mode = CUDNN_POINTWISE_MUL, .x = ids.dout, .b = ids.out}, products);
  make.graph().Reduce(CUDNN_REDUCE_TENSOR_ADD, products, sums);
  make.graph().Pointwise({.mode = CUDNN_POINTWISE_MUL, .x = sums, .b = ids.one}, ids.row_sums);
}

// ds = (dout v^T - row_sums) P, and its sum over segments, which is that of the bias.
Id ScoreGradient(GraphMaker& make, Id probabilities, bool bias) {
  CudnnAttentionIds& ids = make.ids();
  const Id dprobabilities = make.Scores();
  make.graph().MatMul(
      {.a = ids.dout, .b = ids.v, .m_length = ids.query_lengths, .n_length = ids.key_lengths},
      dprobabilities);
  const Id centred =
      make.Compute({.mode = CUDNN_POINTWISE_SUB, .x = dprobabilities, .b = ids.row_sums});
  const Id dscores = make.Compute({.mode = CUDNN_POINTWISE_MUL, .x = centred, .b = probabilities});
  if (!bias) return dscores;
  ids.dbias = make.Bias();
  make.graph().Reduce(CUDNN_REDUCE_TENSOR_ADD, dscores, ids.dbias);
  return make.Scaled(dscores);
}

// dq = ds k: at once, or added up in f32 by all blocks of keys and then rounded.
void MakeQueryGradient(GraphMaker& make, Id dscores, int64_t key_pitch, bool at_once) {
  CudnnAttentionIds& ids = make.ids();
  const Id k = make.Rows({.of_keys = true, .pitch = key_pitch, .is_virtual = true});
  make.graph().Reshape(ids.k, k);
  const CudnnGraph::MatMulSpec product = {
      .a = dscores, .b = k, .m_length = ids.query_lengths, .k_length = ids.key_lengths};
  if (at_once) return make.graph().MatMul(product, ids.dq);
  ids.dq_sum = make.QuerySum();
  make.graph().MatMul(product, ids.dq_sum);
  make.graph().Pointwise({.mode = CUDNN_POINTWISE_IDENTITY, .x = ids.dq_sum}, ids.dq);
}

CudnnAttentionGraph GradientGraph(GraphMaker make, const CudnnPitches& pitches,
                                  const CudnnAttentionOptions& options) {
  CudnnAttentionIds& ids = make.ids();
  ids.q = make.QueryRows();
  ids.k = make.Rows({.of_keys = true, .pitch = pitches.k, .transposed = true});
  ids.v = make.Rows({.of_keys = true, .pitch = pitches.v, .transposed = true});
  ids.out = make.DenseRows();
  ids.dout = make.DenseRows();
  ids.dq = make.QueryRows();
  ids.dk = make.Rows({.of_keys = true, .pitch = pitches.k});
  ids.dv = make.Rows({.of_keys = true, .pitch = pitches.dv});
  ids.stats = make.PerQuery();
  // The pattern with a bias gradient has a scale: what is reduced has one other use only.
  if (options.bias) ids.scale = make.Number();
  MakeRowSums(make);

  // P = exp(s - stats), dv = P^T dout.
  const Id below =
      make.Compute({.mode = CUDNN_POINTWISE_SUB, .x = make.BiasedScores(), .b = ids.stats});
  const Id probabilities = make.Compute({.mode = CUDNN_POINTWISE_EXP, .x = make.Masked(below)});
  make.graph().MatMul({.a = make.Transposed(probabilities),
                       .b = ids.dout,
                       .m_length = ids.key_lengths,
                       .k_length = ids.query_lengths},
                      ids.dv);
  // dk = ds^T q.
  const Id dscores = ScoreGradient(make, probabilities, options.bias);
  make.graph().MatMul({.a = make.Transposed(dscores),
                       .b = ids.q,
                       .m_length = ids.key_lengths,
                       .k_length = ids.query_lengths},
                      ids.dk);
  MakeQueryGradient(make, dscores, pitches.k, /*at_once=*/options.bias || options.deterministic);
  return make.Take();
}

}  // namespace

absl::StatusOr<CudnnSegments> ReadSegments(const AttentionSpec& spec) {
  if (spec.dropout_rate > 0) {
    return absl::InvalidArgumentError("cuDNN attention has no dropout of ours: rate must be 0");
  }
  const absl::StatusOr<Lengths> queries = ReadLengths(spec.query_begin, spec.query_end);
  if (!queries.ok()) return queries.status();
  const absl::StatusOr<Lengths> keys = ReadLengths(spec.key_begin, spec.key_end);
  if (!keys.ok()) return keys.status();
  if (queries->rows == 0) return absl::InvalidArgumentError("there are no segments");
  const bool same = std::equal(spec.query_end.begin(), spec.query_end.end(), spec.key_end.begin(),
                               spec.key_end.end());
  if (spec.causal && !same) {
    return absl::InvalidArgumentError(
        "causal cuDNN attention needs as many queries as keys in each segment");
  }
  CudnnSegments segments = {.batch = static_cast<int64_t>(spec.query_begin.size()),
                            .heads = spec.num_heads,
                            .head_dim = spec.head_dim,
                            .longest_query = queries->longest,
                            .longest_key = keys->longest,
                            .query_rows = queries->rows,
                            .key_rows = keys->rows,
                            .packed = !queries->equal || !keys->equal,
                            .causal = spec.causal};
  const int64_t width = segments.width();
  segments.pitches = {.q = width, .k = width, .v = width, .dv = width};
  return segments;
}

CudnnAttentionGraph MakeAttentionGraph(const CudnnLibrary& cudnn, const CudnnSegments& segments,
                                       const CudnnAttentionOptions& options, CudnnPass pass) {
  GraphMaker make(cudnn, segments, options);
  return pass == CudnnPass::kForward ? ForwardGraph(std::move(make), segments.pitches)
                                     : GradientGraph(std::move(make), segments.pitches, options);
}

}  // namespace frond::cuda
