// Linear layers of f32 activations and bf16 products, against sums in f64.
#include "core/nn/linear.h"

#include <gtest/gtest.h>

#include <random>

#include "core/ops/elementwise.h"
#include "core/tensor/transfer.h"
#include "tests/core/nn/ordered_sink.h"
#include "tests/core/ops/op_runner.h"

namespace frond {
namespace {

using testing::RelativeError;

constexpr int64_t kTokens = 37, kIn = 200, kOut = 56;
// Two bf16 terms hold 16 bits of a value, one holds 8.
constexpr double kTwoTerms = 2e-5, kOneTerm = 4e-3;

// c[i, j] = sum over k of a[i, k] b[k, j], with strides of rows and columns.
std::vector<double> Product(const std::vector<double>& a, int64_t a_row, int64_t a_column,
                            const std::vector<double>& b, int64_t b_row, int64_t b_column,
                            int64_t rows, int64_t columns, int64_t inner) {
  std::vector<double> c;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < inner; ++k) {
        sum += a[static_cast<size_t>(i * a_row + k * a_column)] *
               b[static_cast<size_t>(k * b_row + j * b_column)];
      }
      c.push_back(sum);
    }
  }
  return c;
}

class LinearOfF32Test : public ::testing::Test {
 protected:
  LinearOfF32Test() {
    store_.Initialize(ctx_, 5);
    store_.PrepareCompute(ctx_, /*for_training=*/true);
    // What the products read.
    Tensor rounded(ctx_, {kOut, kIn}, DType::kBF16);
    Cast(ctx_, store_.params().front()->Weight(), rounded);
    weight_ = ToDoubles(ctx_, rounded);
  }

  Tensor Draw(Shape shape) {
    Tensor x(ctx_, shape, DType::kF32);
    std::normal_distribution<float> normal;
    for (int64_t i = 0; i < shape.num_elements(); ++i) x.As<float>()[i] = normal(random_);
    return x;
  }
  std::vector<double> Values(ConstView x) { return ToDoubles(ctx_, x); }

  CpuAllocator memory_;
  Context ctx_{memory_};
  std::mt19937_64 random_{std::random_device{}()};
  ParamStore store_{DType::kBF16};
  Linear layer_{store_, Scope("layer"), kIn, kOut, 0.3};
  std::vector<double> weight_;
};

TEST_F(LinearOfF32Test, ForwardSeesSixteenBits) {
  const Tensor x = Draw({kTokens, kIn}), addend = Draw({kTokens, kOut});
  std::vector<double> exact = Product(Values(x), kIn, 1, weight_, 1, kIn, kTokens, kOut, kIn);
  Tensor y(ctx_, {kTokens, kOut}, DType::kF32);
  layer_.Forward(ctx_, x, Write::kAssign, y);
  EXPECT_LE(RelativeError(Values(y), exact), kTwoTerms);
  layer_.Forward(ctx_, x, Write::kAccumulate, y);
  std::vector<double> twice = exact;
  for (double& value : twice) value *= 2;
  EXPECT_LE(RelativeError(Values(y), twice), kTwoTerms);

  const std::vector<double> added = Values(addend);
  for (size_t i = 0; i < exact.size(); ++i) exact[i] += added[i];
  layer_.ForwardAdd(ctx_, x, addend, y);
  EXPECT_LE(RelativeError(Values(y), exact), kTwoTerms);
  EXPECT_EQ(Values(addend), added);
}

TEST_F(LinearOfF32Test, GradientsAreThoseOfOneRounding) {
  const Tensor x = Draw({kTokens, kIn}), dy = Draw({kTokens, kOut});
  Tensor dx(ctx_, {kTokens, kIn}, DType::kF32);
  layer_.BackwardInput(ctx_, dy, Write::kAssign, dx);
  EXPECT_LE(
      RelativeError(Values(dx), Product(Values(dy), kOut, 1, weight_, kIn, 1, kTokens, kIn, kOut)),
      kOneTerm);
  OrderedSink sink;
  layer_.BackwardWeight(ctx_, dy, x, sink);
  EXPECT_LE(RelativeError(sink.Gradient(ctx_, 0),
                          Product(Values(dy), 1, kOut, Values(x), kIn, 1, kOut, kIn, kTokens)),
            kOneTerm);
}

// Each part of a joined product, and its gradient, is what the layer alone gives.
TEST_F(LinearOfF32Test, JoinedOnesAreTheSame) {
  ParamStore store(DType::kBF16);
  const Scope scope("layer");
  JoinedLinear joined(store, {{scope, kOut, 0.3}, {Scope("other"), 24, 0.3}}, kIn,
                      Partition::Replicated());
  store.Initialize(ctx_, 5);  // "layer" as above
  store.PrepareCompute(ctx_, /*for_training=*/true);
  const Tensor x = Draw({kTokens, kIn}), dy = Draw({kTokens, joined.out()});
  Tensor y(ctx_, {kTokens, joined.out()}, DType::kF32);
  joined.Forward(ctx_, x, y);
  Tensor own_dy(ctx_, {kTokens, kOut}, DType::kF32);
  std::vector<double> part;
  for (int64_t t = 0; t < kTokens; ++t) {
    for (int64_t j = 0; j < kOut; ++j) {
      part.push_back(y.As<float>()[t * joined.out() + j]);
      own_dy.As<float>()[t * kOut + j] = dy.As<float>()[t * joined.out() + j];
    }
  }
  EXPECT_LE(RelativeError(part, Product(Values(x), kIn, 1, weight_, 1, kIn, kTokens, kOut, kIn)),
            kTwoTerms);

  OrderedSink alone;
  layer_.BackwardWeight(ctx_, own_dy, x, alone);
  OrderedSink first;
  joined.BackwardWeight(ctx_, dy, x, first);
  EXPECT_LE(RelativeError(first.Gradient(ctx_, 0), alone.Gradient(ctx_, 0)), 1e-6);

  Tensor dx(ctx_, {kTokens, kIn}, DType::kF32);
  joined.BackwardInput(ctx_, dy, Write::kAssign, dx);
  std::vector<double> both = weight_, other = Values(store.params().back()->Weight());
  both.insert(both.end(), other.begin(), other.end());
  EXPECT_LE(RelativeError(Values(dx), Product(Values(dy), joined.out(), 1, both, kIn, 1, kTokens,
                                              kIn, joined.out())),
            kOneTerm);
}

}  // namespace
}  // namespace frond
