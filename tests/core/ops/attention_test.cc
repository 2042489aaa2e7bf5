// What the table of op cases cannot say about attention: buckets, and what its results must not
// depend on.
#include "core/ops/attention.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <cstring>
#include <random>
#include <type_traits>

#include "core/base/philox.h"
#include "tests/core/ops/op_runner.h"
#include "tests/core/ops/reference/attention.h"

namespace frond {
namespace {

constexpr int kHeads = 9;
constexpr int kHeadDim = 32;
constexpr int64_t kWidth = kHeads * kHeadDim;

TEST(RelativePositionBucketTest, EveryEdgeOfTheReferenceBothDirections) {
  for (int64_t position = -1000; position <= 1000; ++position) {
    for (const bool bidirectional : {true, false}) {
      EXPECT_EQ(RelativePositionBucket(position, bidirectional, 32, 128),
                testing::reference::RelativePositionBucket32(position, bidirectional))
          << position << (bidirectional ? " bidirectional" : " causal");
    }
  }
}

TEST(RelativePositionBucketTest, TheEdgesThatRoundingCouldMove) {
  // Both sides of 8, 16 and 128, as transformers' T5 computes them.
  const std::vector<std::pair<int, int>> bidirectional = {
      {-7, 7}, {-8, 8}, {-15, 9}, {-16, 10}, {-127, 15}, {-128, 15},
      {7, 23}, {8, 24}, {15, 25}, {16, 26},  {127, 31},  {128, 31}};
  for (const auto& [position, bucket] : bidirectional) {
    EXPECT_EQ(RelativePositionBucket(position, true, 32, 128), bucket) << position;
  }
  const std::vector<std::pair<int, int>> causal = {{0, 0},     {5, 0},     {-8, 8},    {-15, 15},
                                                   {-16, 16},  {-18, 16},  {-19, 17},  {-112, 30},
                                                   {-113, 31}, {-128, 31}, {-5000, 31}};
  for (const auto& [position, bucket] : causal) {
    EXPECT_EQ(RelativePositionBucket(position, false, 32, 128), bucket) << position;
  }
}

// Rows of one segment: inputs and results, as bytes are compared.
struct SegmentRows {
  std::vector<uint64_t> token_keys;
  std::vector<float> q, k, v, dout;
  std::vector<float> out, lse, dq, dk, dv;

  bool operator==(const SegmentRows&) const = default;
  int64_t tokens() const { return static_cast<int64_t>(token_keys.size()); }
};

class AttentionLayoutTest : public ::testing::TestWithParam<bool> {
 protected:
  AttentionLayoutTest() : ctx_(memory_), seed_(std::random_device{}()) {
    RecordProperty("seed", std::to_string(seed_));
    table_ = Draw(32 * kHeads, seed_ + 1);
  }

  static std::vector<float> Draw(int64_t count, uint64_t key) {
    std::vector<float> values(count);
    for (int64_t i = 0; i < count; ++i) values[i] = static_cast<float>(0.4 * NormalAt(key, i));
    return values;
  }

  SegmentRows MakeSegment(int64_t tokens, uint64_t name) const {
    SegmentRows rows;
    for (int64_t t = 0; t < tokens; ++t) rows.token_keys.push_back(MixBits(seed_ + name) + t);
    rows.q = Draw(tokens * kWidth, MixBits(seed_ ^ (4 * name)));
    rows.k = Draw(tokens * kWidth, MixBits(seed_ ^ (4 * name + 1)));
    rows.v = Draw(tokens * kWidth, MixBits(seed_ ^ (4 * name + 2)));
    rows.dout = Draw(tokens * kWidth, MixBits(seed_ ^ (4 * name + 3)));
    return rows;
  }

  // Runs attention and its gradient on the segments laid end to end, and fills in their results.
  // Returns the gradient of the bias table.
  std::vector<float> Run(std::vector<SegmentRows>& segments) {
    AttentionSpec spec = {.num_heads = kHeads,
                          .head_dim = kHeadDim,
                          .causal = GetParam(),
                          .bidirectional = !GetParam(),
                          .dropout_rate = 0.3f,
                          .dropout_key = 7};
    std::vector<int32_t> begin, end;
    SegmentRows all;
    for (const SegmentRows& s : segments) {
      begin.push_back(static_cast<int32_t>(all.token_keys.size()));
      for (const auto& [from, to] :
           {std::pair(&s.q, &all.q), {&s.k, &all.k}, {&s.v, &all.v}, {&s.dout, &all.dout}}) {
        to->insert(to->end(), from->begin(), from->end());
      }
      all.token_keys.insert(all.token_keys.end(), s.token_keys.begin(), s.token_keys.end());
      end.push_back(static_cast<int32_t>(all.token_keys.size()));
    }
    spec.query_begin = spec.key_begin = begin;
    spec.query_end = spec.key_end = end;
    spec.key_token_keys = all.token_keys;
    for (auto* result : {&all.out, &all.dq, &all.dk, &all.dv}) result->resize(all.q.size());
    all.lse.resize(all.tokens() * kHeads);
    std::vector<float> dtable(table_.size(), 0.f);
    const auto view = [](std::vector<float>& values, Shape shape) {
      return View{values.data(), shape, DType::kF32};
    };
    const Shape rows = {all.tokens(), kWidth}, per_head = {all.tokens(), kHeads};
    const View table = view(table_, {32, kHeads});
    Attention(ctx_, view(all.q, rows), view(all.k, rows), view(all.v, rows), table, spec,
              view(all.out, rows), view(all.lse, per_head));
    AttentionGrad(ctx_, view(all.dout, rows), view(all.q, rows), view(all.k, rows),
                  view(all.v, rows), table, view(all.out, rows), view(all.lse, per_head), spec,
                  view(all.dq, rows), view(all.dk, rows), view(all.dv, rows),
                  view(dtable, {32, kHeads}));
    for (size_t s = 0; s < segments.size(); ++s) {
      const auto part = [&](const std::vector<float>& from, int64_t row_size) {
        return std::vector<float>(from.begin() + begin[s] * row_size,
                                  from.begin() + end[s] * row_size);
      };
      segments[s].out = part(all.out, kWidth);
      segments[s].lse = part(all.lse, kHeads);
      segments[s].dq = part(all.dq, kWidth);
      segments[s].dk = part(all.dk, kWidth);
      segments[s].dv = part(all.dv, kWidth);
    }
    return dtable;
  }

  CpuAllocator memory_;
  Context ctx_;
  uint64_t seed_;
  std::vector<float> table_;
};

TEST_P(AttentionLayoutTest, ASegmentGivesTheSameBitsWhereverItLies) {
  const std::vector<SegmentRows> fresh = {MakeSegment(5, 1), MakeSegment(77, 2), MakeSegment(1, 3),
                                          MakeSegment(130, 4)};
  std::vector<SegmentRows> together = fresh;
  Run(together);
  std::vector<SegmentRows> reversed(fresh.rbegin(), fresh.rend());
  Run(reversed);
  for (size_t s = 0; s < fresh.size(); ++s) {
    EXPECT_TRUE(together[s] == reversed[fresh.size() - 1 - s]) << "segment " << s;
    std::vector<SegmentRows> alone = {fresh[s]};
    Run(alone);
    EXPECT_TRUE(together[s] == alone[0]) << "segment " << s << " alone, seed " << seed_;
  }
}

TEST_P(AttentionLayoutTest, TheNumberOfThreadsChangesNoBit) {
  const int threads_before = omp_get_max_threads();
  const std::vector<SegmentRows> fresh = {MakeSegment(64, 1), MakeSegment(31, 2),
                                          MakeSegment(100, 3)};
  omp_set_num_threads(1);
  std::vector<SegmentRows> one = fresh;
  const std::vector<float> dtable_one = Run(one);
  for (const int threads : {2, 3}) {
    omp_set_num_threads(threads);
    std::vector<SegmentRows> several = fresh;
    const std::vector<float> dtable = Run(several);
    EXPECT_TRUE(one == several) << threads << " threads, seed " << seed_;
    EXPECT_EQ(dtable_one, dtable) << threads << " threads, seed " << seed_;
  }
  omp_set_num_threads(threads_before);
}

INSTANTIATE_TEST_SUITE_P(Directions, AttentionLayoutTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Causal" : "Both"; });

// One call over `heads` heads of one causal segment, on rows [tokens, heads * kHeadDim].
template <class T>
struct HeadsCall {
  using A = Accumulator<T>;
  int first_head, heads;
  std::vector<T> q, k, v, dout;
  std::vector<A> table;
  std::vector<T> out, dq, dk, dv;
  std::vector<A> lse, dtable;

  int64_t tokens() const { return std::ssize(q) / (heads * kHeadDim); }

  void Run(const std::vector<uint64_t>& token_keys) {
    CpuAllocator memory;
    Context ctx(memory);
    const std::vector<int32_t> begin = {0}, end = {static_cast<int32_t>(tokens())};
    const AttentionSpec spec = {.num_heads = heads,
                                .head_dim = kHeadDim,
                                .first_head = first_head,
                                .causal = true,
                                .query_begin = begin,
                                .query_end = end,
                                .key_begin = begin,
                                .key_end = end,
                                .bidirectional = false,
                                .dropout_rate = 0.4f,
                                .dropout_key = 5,
                                .key_token_keys = token_keys};
    for (auto* result : {&out, &dq, &dk, &dv}) result->resize(q.size());
    lse.resize(tokens() * heads);
    dtable.assign(table.size(), A{});
    const auto rows = [&](std::vector<T>& x) {
      return View{x.data(), {tokens(), int64_t{heads} * kHeadDim}, DTypeOf<T>::kValue};
    };
    const auto per_head = [&](std::vector<A>& x) {
      return View{x.data(), {std::ssize(x) / heads, heads}, DTypeOf<A>::kValue};
    };
    Attention(ctx, rows(q), rows(k), rows(v), per_head(table), spec, rows(out), per_head(lse));
    AttentionGrad(ctx, rows(dout), rows(q), rows(k), rows(v), per_head(table), rows(out),
                  per_head(lse), spec, rows(dq), rows(dk), rows(dv), per_head(dtable));
  }

  // Heads [begin, end) of an array of `width` elements a head.
  template <class X>
  std::vector<X> Part(const std::vector<X>& x, int64_t width, int begin, int end) const {
    std::vector<X> part;
    for (int64_t row = 0; row < std::ssize(x) / (heads * width); ++row) {
      const auto at = x.begin() + row * heads * width;
      part.insert(part.end(), at + begin * width, at + end * width);
    }
    return part;
  }
};

template <class X>
bool SameBits(const std::vector<X>& a, const std::vector<X>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(X)) == 0;
}

template <class T>
class AttentionHeadsTest : public ::testing::Test {};
using HeadTypes = ::testing::Types<float, BFloat16, double>;
TYPED_TEST_SUITE(AttentionHeadsTest, HeadTypes);

TYPED_TEST(AttentionHeadsTest, ACallOverSomeHeadsGivesTheirBitsOfTheWholeCall) {
  constexpr int kAll = 19;  // three draws of eight heads
  constexpr int64_t kTokens = 37;
  const uint64_t seed = std::random_device{}();
  const auto draw = [&](uint64_t name, int64_t count, auto& values) {
    using X = typename std::remove_reference_t<decltype(values)>::value_type;
    for (int64_t i = 0; i < count; ++i) {
      values.push_back(X(static_cast<float>(0.4 * NormalAt(MixBits(seed + name), i))));
    }
  };
  HeadsCall<TypeParam> whole = {.first_head = 0, .heads = kAll};
  uint64_t name = 0;
  for (auto* x : {&whole.q, &whole.k, &whole.v, &whole.dout}) {
    draw(++name, kTokens * kAll * kHeadDim, *x);
  }
  draw(++name, 32 * kAll, whole.table);
  std::vector<uint64_t> token_keys;
  for (int64_t t = 0; t < kTokens; ++t) token_keys.push_back(MixBits(seed) + t);
  whole.Run(token_keys);
  for (const auto& [begin, end] : {std::pair(0, 8), {8, 16}, {3, 6}, {6, 11}, {7, 19}, {18, 19}}) {
    const auto rows = [&, begin = begin, end = end](const std::vector<TypeParam>& x) {
      return whole.Part(x, kHeadDim, begin, end);
    };
    HeadsCall<TypeParam> part = {.first_head = begin,
                                 .heads = end - begin,
                                 .q = rows(whole.q),
                                 .k = rows(whole.k),
                                 .v = rows(whole.v),
                                 .dout = rows(whole.dout),
                                 .table = whole.Part(whole.table, 1, begin, end)};
    part.Run(token_keys);
    EXPECT_TRUE(SameBits(part.out, rows(whole.out)) && SameBits(part.dq, rows(whole.dq)) &&
                SameBits(part.dk, rows(whole.dk)) && SameBits(part.dv, rows(whole.dv)) &&
                SameBits(part.lse, whole.Part(whole.lse, 1, begin, end)) &&
                SameBits(part.dtable, whole.Part(whole.dtable, 1, begin, end)))
        << "heads " << begin << " to " << end << ", seed " << seed;
  }
}

// Nothing that is rounded to bf16 may stand between probabilities and their gradients.
TEST(AttentionCasesTest, GradientsOfScoresSumToZero) {
  const uint64_t seed = std::random_device{}();
  for (const testing::OpCase& op : testing::AttentionCases()) {
    if (op.inputs.back().name != "bias_table") continue;
    for (const DType dtype : op.dtypes) {
      const testing::CaseValues values = testing::DrawValues(op, dtype, seed);
      const testing::CaseResults results = testing::RunCase(op, values, dtype, true);
      EXPECT_LE(testing::BiasGradientImbalance(op, values.dinputs.back(), results.dinputs.back()),
                1e-5)
          << op.name << " in " << DTypeName(dtype) << ", seed " << seed;
    }
  }
}

TEST(AttentionDropoutTest, DropsTheRateOfKeysAndHeadsDiffer) {
  constexpr int kTokens = 20000;
  constexpr float kRate = 0.1f;
  int dropped = 0, differing = 0;
  for (uint64_t token = 0; token < kTokens; ++token) {
    for (int head = 0; head < kHeads; ++head) {
      const bool keeps = AttentionDropoutKeeps(3, token, head, kRate);
      dropped += !keeps;
      differing += keeps != AttentionDropoutKeeps(3, token, (head + 1) % kHeads, kRate);
    }
  }
  // Five standard deviations of a binomial share.
  EXPECT_NEAR(dropped / double(kTokens * kHeads), kRate, 5 * 0.3 / std::sqrt(kTokens * kHeads));
  EXPECT_NEAR(differing / double(kTokens * kHeads), 2 * 0.1 * 0.9, 0.01);
}

}  // namespace
}  // namespace frond
