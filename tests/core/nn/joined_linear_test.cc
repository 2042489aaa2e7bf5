// JoinedLinear against the same layers one by one.
#include <gtest/gtest.h>

#include <random>

#include "core/nn/linear.h"
#include "core/ops/elementwise.h"
#include "core/tensor/transfer.h"
#include "tests/core/ops/op_runner.h"

namespace frond {
namespace {

using testing::RelativeError;

constexpr int64_t kTokens = 21, kIn = 48;
constexpr int64_t kOuts[] = {40, 7, 33};

// What a bf16 product reads of a weight.
double Bf16(double weight) { return static_cast<float>(BFloat16(static_cast<float>(weight))); }

// Keeps gradients, and the order in which they were closed.
class OrderedSink : public GradSink {
 public:
  View Open(Context& ctx, Param& param) override {
    Tensor gradient(ctx, param.shape, DType::kF32);
    Fill(ctx, 0, gradient);
    gradients_.push_back(std::move(gradient));
    return gradients_.back();
  }
  void Close(Context&, Param& param) override { closed.push_back(param.name); }
  std::vector<double> Gradient(Context& ctx, size_t i) { return ToDoubles(ctx, gradients_[i]); }

  std::vector<std::string> closed;

 private:
  std::vector<Tensor> gradients_;
};

class JoinedLinearTest : public ::testing::TestWithParam<DType> {
 protected:
  JoinedLinearTest() : separate_(GetParam()), together_(GetParam()) {
    std::vector<JoinedLinear::Part> parts;
    for (size_t i = 0; i < std::size(kOuts); ++i) {
      const Scope scope = Scope("part") / static_cast<int>(i);
      single_.emplace_back(separate_, scope, kIn, kOuts[i], 0.3);
      parts.push_back({scope, kOuts[i], 0.3});
    }
    joined_ = std::make_unique<JoinedLinear>(together_, parts, kIn, Partition::Replicated());
    for (ParamStore* store : {&separate_, &together_}) {
      store->Initialize(ctx_, 5);
      store->PrepareCompute(ctx_, /*for_training=*/true);
    }
  }

  Tensor Draw(Shape shape) {
    Tensor x(ctx_, shape, DType::kF32), rounded(ctx_, shape, GetParam());
    std::normal_distribution<float> normal;
    for (int64_t i = 0; i < shape.num_elements(); ++i) x.As<float>()[i] = normal(random_);
    Cast(ctx_, x, rounded);
    return rounded;
  }

  CpuAllocator memory_;
  Context ctx_{memory_};
  std::mt19937_64 random_{std::random_device{}()};
  ParamStore separate_, together_;
  std::vector<Linear> single_;
  std::unique_ptr<JoinedLinear> joined_;
};

TEST_P(JoinedLinearTest, ValuesLieEndToEnd) {
  const char* next = nullptr;
  for (const auto& param : together_.params()) {
    const ConstView value = param->Weight();
    EXPECT_TRUE(next == nullptr || value.data == next) << param->name;
    next = static_cast<const char*>(value.data) + value.bytes();
    EXPECT_EQ(ToDoubles(ctx_, value), ToDoubles(ctx_, separate_.Find(param->name)->Weight()));
  }
  EXPECT_DEATH(together_.params().front()->Pack(Trans::kYes), "multiplied together");
}

TEST_P(JoinedLinearTest, ForwardIsEachOnes) {
  const Tensor x = Draw({kTokens, kIn});
  Tensor y(ctx_, {kTokens, joined_->out()}, GetParam());
  joined_->Forward(ctx_, x, y);
  const std::vector<double> got = ToDoubles(ctx_, y);
  int64_t begin = 0;
  for (size_t i = 0; i < single_.size(); ++i) {
    Tensor part(ctx_, {kTokens, kOuts[i]}, GetParam());
    single_[i].Forward(ctx_, x, Write::kAssign, part);
    std::vector<double> columns;
    for (int64_t t = 0; t < kTokens; ++t) {
      for (int64_t j = 0; j < kOuts[i]; ++j) {
        columns.push_back(got[static_cast<size_t>(t * joined_->out() + begin + j)]);
      }
    }
    // Another order of adding, and then at most a rounding to the other neighbour.
    EXPECT_LE(RelativeError(columns, ToDoubles(ctx_, part)),
              GetParam() == DType::kBF16 ? 1e-3 : 1e-6);
    begin += kOuts[i];
  }
  EXPECT_EQ(begin, joined_->out());
}

// y = (x + low) W^T: 16 bits of f32 inputs, where x alone holds 8.
TEST_P(JoinedLinearTest, LowIsASecondTerm) {
  if (GetParam() != DType::kBF16) GTEST_SKIP() << "of bf16 products only";
  const Tensor high = Draw({kTokens, kIn});
  Tensor low(ctx_, high.shape(), DType::kBF16), y(ctx_, {kTokens, joined_->out()}, DType::kF32);
  AddScaled(ctx_, 1.0 / 300, Draw(high.shape()), Write::kAssign, low);
  std::vector<double> expected;
  const std::vector<double> a = ToDoubles(ctx_, high), b = ToDoubles(ctx_, low);
  for (int64_t t = 0; t < kTokens; ++t) {
    for (const auto& param : together_.params()) {
      const std::vector<double> w = ToDoubles(ctx_, param->Weight());
      for (size_t j = 0; j < w.size(); j += kIn) {
        double sum = 0;
        for (int64_t i = 0; i < kIn; ++i) {
          const auto at = static_cast<size_t>(t * kIn + i);
          sum += (a[at] + b[at]) * Bf16(w[j + static_cast<size_t>(i)]);
        }
        expected.push_back(sum);
      }
    }
  }
  joined_->Forward(ctx_, high, y, low);
  EXPECT_LE(RelativeError(ToDoubles(ctx_, y), expected), 1e-6);
  joined_->Forward(ctx_, high, y);
  EXPECT_GE(RelativeError(ToDoubles(ctx_, y), expected), 1e-3);
}

TEST_P(JoinedLinearTest, GradientsAreEachOnes) {
  const Tensor x = Draw({kTokens, kIn}), dy = Draw({kTokens, joined_->out()});
  Tensor dx = Draw({kTokens, kIn}), dx_single(ctx_, {kTokens, kIn}, DType::kF32);
  Cast(ctx_, dx, dx_single);
  joined_->BackwardInput(ctx_, dy, Write::kAccumulate, dx);
  OrderedSink sink, single_sink;
  joined_->BackwardWeight(ctx_, dy, x, sink);
  EXPECT_EQ(sink.closed,
            (std::vector<std::string>{"part.0.weight", "part.1.weight", "part.2.weight"}));
  const std::vector<double> all = ToDoubles(ctx_, dy);
  int64_t begin = 0;
  for (size_t i = 0; i < single_.size(); ++i) {
    Tensor part(ctx_, {kTokens, kOuts[i]}, DType::kF32), rounded(ctx_, part.shape(), GetParam());
    for (int64_t t = 0; t < kTokens; ++t) {
      for (int64_t j = 0; j < kOuts[i]; ++j) {
        part.As<float>()[t * kOuts[i] + j] =
            static_cast<float>(all[static_cast<size_t>(t * joined_->out() + begin + j)]);
      }
    }
    Cast(ctx_, part, rounded);
    // dx of bf16 operands is added up in f32 here, and rounded once there.
    single_[i].BackwardInput(ctx_, rounded, Write::kAccumulate, dx_single);
    single_[i].BackwardWeight(ctx_, rounded, x, single_sink);
    EXPECT_LE(RelativeError(sink.Gradient(ctx_, i), single_sink.Gradient(ctx_, i)), 1e-6);
    begin += kOuts[i];
  }
  EXPECT_LE(RelativeError(ToDoubles(ctx_, dx), ToDoubles(ctx_, dx_single)),
            GetParam() == DType::kBF16 ? 2.5e-3 : 1e-6);
}

TEST_P(JoinedLinearTest, FormsFollowTheValues) {
  const Tensor x = Draw({kTokens, kIn});
  Tensor before(ctx_, {kTokens, joined_->out()}, GetParam()), after = Draw(before.shape());
  joined_->Forward(ctx_, x, before);
  for (const auto& param : together_.params()) {
    Tensor doubled(ctx_, param->shape, param->value.dtype());
    Fill(ctx_, 0, doubled);
    for (int i = 0; i < 2; ++i) AddScaled(ctx_, 1, param->value, Write::kAccumulate, doubled);
    Copy(ctx_, doubled, param->value);
  }
  together_.PrepareCompute(ctx_, /*for_training=*/false);
  joined_->Forward(ctx_, x, after);
  std::vector<double> twice = ToDoubles(ctx_, before);
  for (double& value : twice) value *= 2;
  EXPECT_EQ(ToDoubles(ctx_, after), twice);
  EXPECT_TRUE(together_.params().front()->joined->forms.backward.empty());
}

TEST(JoinTest, RefusesWhatDoesNotFit) {
  ParamStore store(DType::kF32);
  Param& a = store.Add(Scope("a"), {.shape = {3, 4}, .partition = {}, .init = {}});
  Param& b = store.Add(Scope("b"), {.shape = {3, 5}, .partition = {}, .init = {}});
  EXPECT_DEATH(store.Join({&a, &b}), "b beside a");
  store.Join({&a});
  EXPECT_DEATH(store.Join({&a}), "a is joined already");
  Param& table = store.Add(
      Scope("t"), {.shape = {3, 4}, .partition = {}, .init = {}, .use = ParamUse::kEmbedding});
  EXPECT_DEATH(store.Join({&table}), "t is not a matrix");
}

TEST(JoinTest, EveryPartHasItsMaster) {
  CpuAllocator memory;
  Context ctx(memory);
  for (const MasterFormat format : {MasterFormat::kWhole, MasterFormat::kSplit}) {
    ParamStore store(DType::kBF16, format, {}, {.rank = 0, .size = 2});
    std::vector<Param*> parts;
    for (const char* name : {"a", "b"}) {
      parts.push_back(&store.Add(Scope(name), {.shape = {6, 4}, .partition = {}, .init = {}}));
    }
    store.Join(parts);
    store.Allocate(ctx);
    store.Allocate(ctx);  // once is enough
    for (Param* part : parts) {
      EXPECT_EQ(part->exact.empty(), format == MasterFormat::kSplit) << part->name;
      EXPECT_EQ(part->low.empty(), format == MasterFormat::kWhole) << part->name;
      EXPECT_EQ(part->value.shape(), (Shape{6, 4}));
      EXPECT_EQ(part->value.dtype(), DType::kBF16);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(DTypes, JoinedLinearTest, ::testing::Values(DType::kF32, DType::kBF16),
                         [](const auto& info) { return std::string(DTypeName(info.param)); });

}  // namespace
}  // namespace frond
