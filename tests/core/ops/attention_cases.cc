// Attention and AttentionGrad.
#include <algorithm>
#include <cmath>
#include <memory>

#include "core/ops/attention.h"
#include "core/ops/dropout.h"
#include "tests/core/ops/op_cases.h"
#include "tests/core/ops/reference/attention.h"

namespace frond::testing {
namespace {

struct Segment {
  int32_t queries, keys;
};

// Which of q, k and v lie side by side in one matrix.
enum class Joined : uint8_t { kNone, kKeysAndValues, kAll };

// Owns what an AttentionSpec borrows.
struct Layout {
  std::vector<int32_t> query_begin, query_end, key_begin, key_end;
  std::vector<uint64_t> key_token_keys;
  AttentionSpec spec;
  bool has_bias = true;
  Joined joined = Joined::kNone;

  int64_t width() const { return int64_t{spec.num_heads} * spec.head_dim; }
  int64_t queries() const { return query_end.back(); }
  int64_t keys() const { return key_end.back(); }
  // Matrices that hold q, k and v, before the bias table.
  size_t num_matrices() const {
    return joined == Joined::kAll ? 1 : joined == Joined::kKeysAndValues ? 2 : 3;
  }
};

// q, k or v (0, 1 or 2), or the gradient of it.
Columns Operand(const Layout& layout, const Views& views, int64_t i) {
  const int64_t width = layout.width();
  if (layout.joined == Joined::kAll) return ColumnsOf(views[0], i * width, (i + 1) * width);
  if (layout.joined == Joined::kKeysAndValues && i > 0) {
    return ColumnsOf(views[1], (i - 1) * width, i * width);
  }
  return views[static_cast<size_t>(i)];
}

// Columns [begin, begin + width) of a matrix whose rows have `pitch` elements.
std::vector<double> Cut(const std::vector<double>& from, int64_t begin, int64_t width,
                        int64_t pitch) {
  std::vector<double> columns;
  for (auto row = from.begin(); row != from.end(); row += pitch) {
    columns.insert(columns.end(), row + begin, row + begin + width);
  }
  return columns;
}

// q, k, v and the bias table each by itself.
Arrays Separate(const Layout& layout, const Arrays& in) {
  const int64_t width = layout.width();
  Arrays out;
  if (layout.joined == Joined::kNone) return in;
  if (layout.joined == Joined::kAll) {
    for (int64_t i = 0; i < 3; ++i) out.push_back(Cut(in[0], i * width, width, 3 * width));
  } else {
    out = {in[0], Cut(in[1], 0, width, 2 * width), Cut(in[1], width, width, 2 * width)};
  }
  out.insert(out.end(), in.begin() + static_cast<int64_t>(layout.num_matrices()), in.end());
  return out;
}

// `gap` rows of k and v before each segment belong to none.
std::shared_ptr<const Layout> MakeLayout(const std::vector<Segment>& segments, AttentionSpec spec,
                                         bool has_bias, int32_t gap,
                                         Joined joined = Joined::kNone) {
  auto layout = std::make_shared<Layout>();
  int32_t query = 0, key = 0;
  for (const Segment& segment : segments) {
    layout->query_begin.push_back(query);
    layout->query_end.push_back(query += segment.queries);
    layout->key_begin.push_back(key += gap);
    layout->key_end.push_back(key += segment.keys);
  }
  for (int32_t i = 0; i < key; ++i) layout->key_token_keys.push_back(1000003ull * i + 17);
  spec.query_begin = layout->query_begin;
  spec.query_end = layout->query_end;
  spec.key_begin = layout->key_begin;
  spec.key_end = layout->key_end;
  spec.dropout_key = 99;
  spec.key_token_keys = layout->key_token_keys;
  layout->spec = spec;
  layout->has_bias = has_bias;
  layout->joined = joined;
  return layout;
}

std::vector<double> HeadRow(const std::vector<double>& array, const AttentionSpec& spec,
                            int64_t row, int head) {
  const auto begin = array.begin() + (row * spec.num_heads + head) * spec.head_dim;
  return {begin, begin + spec.head_dim};
}

reference::AttentionRow ReferenceRow(const Layout& layout, const Arrays& in, size_t segment,
                                     int64_t query, int head) {
  const AttentionSpec& spec = layout.spec;
  const int64_t keys = spec.key_end[segment] - spec.key_begin[segment];
  const int64_t queries = spec.query_end[segment] - spec.query_begin[segment];
  const int64_t position = spec.causal ? query + keys - queries : query;
  std::vector<std::vector<double>> key_rows, value_rows;
  std::vector<double> bias, keep;
  for (int64_t j = 0; j < keys && !(spec.causal && j > position); ++j) {
    const int64_t row = spec.key_begin[segment] + j;
    key_rows.push_back(HeadRow(in[1], spec, row, head));
    value_rows.push_back(HeadRow(in[2], spec, row, head));
    const int bucket = reference::RelativePositionBucket32(j - position, spec.bidirectional);
    bias.push_back(layout.has_bias ? in[3][bucket * spec.num_heads + head] : 0.0);
    const bool kept = AttentionDropoutKeeps(spec.dropout_key, spec.key_token_keys[row],
                                            spec.first_head + head, spec.dropout_rate);
    keep.push_back(kept ? 1 / (1 - static_cast<double>(spec.dropout_rate)) : 0.0);
  }
  return reference::Attention(HeadRow(in[0], spec, spec.query_begin[segment] + query, head),
                              key_rows, value_rows, bias, keep);
}

void Reference(const Layout& layout, const Arrays& inputs, Arrays& out) {
  const AttentionSpec& spec = layout.spec;
  const Arrays in = Separate(layout, inputs);
  for (size_t s = 0; s < spec.query_begin.size(); ++s) {
    for (int64_t row = spec.query_begin[s]; row < spec.query_end[s]; ++row) {
      for (int head = 0; head < spec.num_heads; ++head) {
        const reference::AttentionRow expected =
            ReferenceRow(layout, in, s, row - spec.query_begin[s], head);
        const int64_t at = row * spec.num_heads + head;
        std::copy(expected.out.begin(), expected.out.end(), out[0].begin() + at * spec.head_dim);
        out[1][at] = expected.lse;
      }
    }
  }
}

std::vector<TensorSpec> Inputs(const Layout& layout) {
  const int64_t width = layout.width(), queries = layout.queries(), keys = layout.keys();
  const double spread = std::pow(layout.spec.head_dim, -0.25);  // scores of about 1
  if (layout.joined == Joined::kAll) {
    return {{.name = "qkv", .shape = {queries, 3 * width}, .spread = spread}};
  }
  const TensorSpec q = {.name = "q", .shape = {queries, width}, .spread = spread};
  if (layout.joined == Joined::kKeysAndValues) {
    return {q, {.name = "kv", .shape = {keys, 2 * width}, .spread = spread}};
  }
  return {q,
          {.name = "k", .shape = {keys, width}, .spread = spread},
          {.name = "v", .shape = {keys, width}}};
}

OpCase MakeCase(const std::string& name, std::shared_ptr<const Layout> layout) {
  const AttentionSpec& spec = layout->spec;
  const int64_t width = layout->width();
  OpCase op;
  op.name = "attention/" + name;
  op.inputs = Inputs(*layout);
  if (layout->has_bias) {
    op.inputs.push_back({.name = "bias_table",
                         .shape = {spec.num_buckets, spec.num_heads},
                         .role = Role::kMaster,
                         .accumulated = true});
  }
  op.outputs = {{.name = "out", .shape = {layout->queries(), width}},
                {.name = "lse",
                 .shape = {layout->queries(), spec.num_heads},
                 .role = Role::kMaster,
                 .constant = true}};
  op.forward = [layout](Context& ctx, const Views& in, const Views& out) {
    const View bias = layout->has_bias ? in.back() : View{};
    Attention(ctx, Operand(*layout, in, 0), Operand(*layout, in, 1), Operand(*layout, in, 2), bias,
              layout->spec, out[0], out[1]);
  };
  op.reference = [layout](const Arrays& in, Arrays& out) { Reference(*layout, in, out); };
  op.backward = [layout](Context& ctx, const Views& in, const Views& out, const Views& dout,
                         const Views& din) {
    const View bias = layout->has_bias ? in.back() : View{};
    const View dbias = layout->has_bias ? din.back() : View{};
    AttentionGrad(ctx, dout[0], Operand(*layout, in, 0), Operand(*layout, in, 1),
                  Operand(*layout, in, 2), bias, out[0], out[1], layout->spec,
                  Operand(*layout, din, 0), Operand(*layout, din, 1), Operand(*layout, din, 2),
                  dbias);
  };
  // A GPU's tensor cores take sum_k p_k dp_k from the rounded output, so that a query with one or
  // two keys, whose true gradient is near 0, keeps the rounding of `out`.
  if (spec.head_dim >= 32) op.bf16_tolerance = 1e-2;
  // Over so few queries the whole gradient can be mostly that: of 400 draws one has 1.7e-6 and
  // 1.3e-2.
  if (layout->queries() < 16) {
    op.f32_tolerance = 4e-6;
    op.bf16_tolerance = 2e-2;
  }
  op.forward_flops = 4.0 * spec.head_dim * AttentionPairs(spec);
  op.backward_flops = 10.0 * spec.head_dim * AttentionPairs(spec);
  return op;
}

// q, k and v in f32, the rest in bf16.
OpCase MakeWideCase(const std::string& name, const std::shared_ptr<const Layout>& layout) {
  OpCase op = OfWideInputs(MakeCase(name, layout), layout->num_matrices());
  op.bf16_tolerance = OpCase().bf16_tolerance;
  return op;
}

}  // namespace

std::vector<OpCase> AttentionCases() {
  const std::vector<Segment> self = {{5, 5}, {1, 1}, {37, 37}, {130, 130}};
  const std::vector<Segment> cross = {{3, 40}, {20, 0}, {0, 5}, {1, 9}, {70, 65}};
  const std::vector<Segment> cached = {{1, 17}, {2, 64}, {1, 1}, {5, 150}, {1, 140}};
  const AttentionSpec both = {.num_heads = 3, .head_dim = 16};
  const AttentionSpec causal = {
      .num_heads = 2, .head_dim = 64, .causal = true, .bidirectional = false};
  const auto drop = [](AttentionSpec spec, float rate) {
    spec.dropout_rate = rate;
    return spec;
  };
  AttentionSpec odd = both, wide = causal, ten_heads = both, later_heads = both;
  later_heads.first_head = 6;  // of two groups of draws
  odd.head_dim = 20;
  wide.head_dim = 100;
  ten_heads.num_heads = 10;
  ten_heads.head_dim = 4;
  return {
      MakeCase("self", MakeLayout(self, both, true, 0)),
      MakeCase("self/no_bias", MakeLayout(self, both, false, 0)),
      MakeCase("self/dropout", MakeLayout(self, drop(both, 0.3f), true, 0)),
      MakeCase("self/ten_heads_dropout", MakeLayout(self, drop(ten_heads, 0.5f), true, 0)),
      MakeCase("self/later_heads_dropout", MakeLayout(self, drop(later_heads, 0.5f), true, 0)),
      MakeCase("self/odd_dim", MakeLayout(self, odd, true, 0)),
      MakeCase("causal", MakeLayout(self, causal, true, 0)),
      MakeCase("causal/wide", MakeLayout(self, wide, true, 0)),
      MakeCase("causal/dropout", MakeLayout(self, drop(causal, 0.1f), true, 0)),
      MakeCase("causal/cached", MakeLayout(cached, causal, true, 0)),
      MakeCase("causal/cached_dropout", MakeLayout(cached, drop(causal, 0.2f), true, 3)),
      MakeCase("cross", MakeLayout(cross, both, false, 0)),
      MakeCase("cross/gaps_dropout", MakeLayout(cross, drop(both, 0.3f), false, 2)),
      MakeCase("cross/bias", MakeLayout(cross, both, true, 1)),
      MakeCase("self/joined_dropout", MakeLayout(self, drop(both, 0.3f), true, 0, Joined::kAll)),
      MakeCase("causal/joined", MakeLayout(self, wide, true, 0, Joined::kAll)),
      MakeCase("causal/cached_joined", MakeLayout(cached, causal, true, 3, Joined::kKeysAndValues)),
      MakeCase("cross/joined_gaps_dropout",
               MakeLayout(cross, drop(both, 0.3f), false, 2, Joined::kKeysAndValues)),
      MakeWideCase("self/joined_dropout",
                   MakeLayout(self, drop(both, 0.3f), true, 0, Joined::kAll)),
      MakeWideCase("causal", MakeLayout(self, causal, true, 0)),
      MakeWideCase("causal/cached", MakeLayout(cached, causal, true, 0)),
      MakeWideCase("cross/joined_gaps", MakeLayout(cross, both, false, 2, Joined::kKeysAndValues)),
  };
}

double BiasGradientImbalance(const OpCase& op, const std::vector<double>& before,
                             const std::vector<double>& after) {
  const int64_t heads = op.inputs.back().shape.dim(1);
  double worst = 0;
  for (int64_t head = 0; head < heads; ++head) {
    double sum = 0, magnitude = 0;
    for (auto i = static_cast<size_t>(head); i < after.size(); i += static_cast<size_t>(heads)) {
      sum += after[i] - before[i];
      magnitude += std::abs(after[i] - before[i]);
    }
    worst = std::max(worst, std::abs(sum) / magnitude);
  }
  return worst;
}

std::vector<OpCase> AttentionTileCases() {
  const std::vector<Segment> self = {{1, 1}, {63, 63}, {64, 64}, {65, 65}, {130, 130}, {300, 300}};
  const std::vector<Segment> cross = {{70, 300}, {20, 0}, {1, 129}, {64, 63}, {0, 5}, {130, 32}};
  const std::vector<Segment> cached = {{1, 1}, {1, 64}, {1, 65}, {1, 300}, {3, 200}, {1, 33}};
  std::vector<Segment> many;
  for (int32_t i = 0; i < 50; ++i) many.push_back({1 + i * 7 % 23, 1 + i * 7 % 23});
  std::vector<OpCase> cases;
  for (const int dim : {32, 64, 128}) {
    const AttentionSpec both = {.num_heads = dim == 64 ? 2 : 1, .head_dim = dim};
    AttentionSpec causal = both, drop = both;
    causal.causal = true;
    causal.bidirectional = false;
    drop.dropout_rate = 0.25f;
    AttentionSpec causal_drop = causal;
    causal_drop.dropout_rate = 0.25f;
    const std::string name = "tiles/" + std::to_string(dim);
    cases.push_back(MakeCase(name + "/self", MakeLayout(self, both, true, 0)));
    cases.push_back(MakeCase(name + "/causal_dropout", MakeLayout(self, causal_drop, true, 0)));
    cases.push_back(MakeCase(name + "/causal_no_bias", MakeLayout(self, causal, false, 0)));
    cases.push_back(MakeCase(name + "/cross_dropout", MakeLayout(cross, drop, false, 3)));
    cases.push_back(MakeCase(name + "/cross_bias", MakeLayout(cross, drop, true, 0)));
    cases.push_back(MakeCase(name + "/cached", MakeLayout(cached, causal, true, 0)));
    cases.push_back(MakeCase(name + "/many", MakeLayout(many, both, true, 0)));
    cases.push_back(MakeCase(name + "/many_causal", MakeLayout(many, causal, true, 0)));
    cases.push_back(
        MakeCase(name + "/joined", MakeLayout(self, causal_drop, true, 0, Joined::kAll)));
    cases.push_back(MakeCase(name + "/cross_joined",
                             MakeLayout(cross, drop, false, 3, Joined::kKeysAndValues)));
  }
  return cases;
}

std::vector<OpCase> AttentionTimings() {
  const AttentionSpec encoder = {.num_heads = 6, .head_dim = 64, .dropout_rate = 0.1f};
  AttentionSpec decoder = encoder;
  decoder.causal = true;
  decoder.bidirectional = false;
  std::vector<OpCase> cases;
  for (const int32_t length : {30, 128, 512, 1024}) {
    const std::vector<Segment> segments(2048 / length, {length, length});
    const std::string size = "/" + std::to_string(length);
    cases.push_back(MakeCase("encoder" + size, MakeLayout(segments, encoder, true, 0)));
    cases.push_back(MakeCase("decoder" + size, MakeLayout(segments, decoder, true, 0)));
  }
  return cases;
}

}  // namespace frond::testing
